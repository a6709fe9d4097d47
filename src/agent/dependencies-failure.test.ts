// What pip and uv really print when they fail, and what is made of it.
import { expect, test } from 'vitest';
import { type InstallTrouble, explainInstall } from './dependencies-failure.ts';

const RETRYING = "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/\n";
const REFUSED = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 ask the administrator'))': /simple/torch/\n";
const NONE = 'ERROR: Could not find a version that satisfies the requirement torch==9 (from versions: none)\nERROR: No matching distribution found for torch==9\n';

const CASES: [name: string, log: string, trouble: InstallTrouble, named: string | undefined, why: string | RegExp][] = [
  ['pip: no such package', NONE, 'unknown-package', 'torch==9', 'the package index has no torch==9 for this machine'],
  ['pip: no such version', 'ERROR: Could not find a version that satisfies the requirement rich==999 (from versions: 1.0, 13.9.3, 13.9.4)\nERROR: No matching distribution found for rich==999\n', 'unknown-package', 'rich==999', 'the package index has no rich==999; it has 1.0, 13.9.3, 13.9.4'],
  ['pip: extras and several bounds', 'ERROR: No matching distribution found for transformers[torch]>=4.40,<4.0 (from -r requirements.txt (line 1))\n', 'unknown-package', 'transformers[torch]>=4.40,<4.0', /has no transformers\[torch\]>=4.40,<4.0/],
  ['pip: no network', RETRYING.repeat(5) + NONE, 'network', 'torch==9', 'the machine cannot reach the package index'],
  ['pip: a proxy that says why', REFUSED + NONE, 'network', 'torch==9', 'the machine cannot reach the package index: ask the administrator'],
  ['pip: a certificate', "WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))'\n" + NONE, 'network', 'torch==9', /cannot reach/],
  ['pip: wheel that cannot be built', '  error: subprocess-exited-with-error\n  × python setup.py bdist_wheel did not run successfully.\n  ERROR: Failed building wheel for flash-attn\nERROR: Could not build wheels for flash-attn\n', 'build', 'flash-attn', 'flash-attn has no wheel for this machine and could not be built there'],
  ['pip: metadata that cannot be made', 'Collecting rich\nCollecting apex==0.1 (from -r requirements.txt (line 2))\n  error: subprocess-exited-with-error\n  × Getting requirements to build wheel did not run successfully.\n', 'build', 'apex==0.1', /^apex==0.1 has no wheel/],
  ['pip 25: failed to build', "ERROR: Failed to build 'apex' when getting requirements to build wheel\n", 'build', 'apex', /^apex/],
  ['pip: conflict', 'ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.\nERROR: ResolutionImpossible: for help visit\n', 'conflict', undefined, 'a==1 and b==2 exclude each other'],
  ['pip: another Python', "ERROR: Package 'thing' requires a different Python: 3.9.16 not in '>=3.10'\n", 'python', 'thing', 'thing needs Python >=3.10, and this is 3.9.16'],
  ['pip: versions ignored for their Python', 'ERROR: Ignored the following versions that require a different python version: 2.0 Requires-Python >=3.11\nERROR: Could not find a version that satisfies the requirement numpy==2.0 (from versions: 1.26)\nERROR: No matching distribution found for numpy==2.0\n', 'python', 'numpy==2.0', 'no version of numpy==2.0 is for the Python of this machine'],
  ['pip: no file', "ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'base.txt'\n", 'requirements', undefined, 'there is no base.txt on the machine'],
  ['pip: not a requirement', "ERROR: Invalid requirement: 'foo bar' (from line 1 of requirements.txt)\n", 'requirements', undefined, 'a line is no requirement: foo bar'],
  ['pip: a wrong hash', 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes.\n    rich==13.0 from https://example.test/rich.whl:\n', 'requirements', 'rich==13.0', /hash/],
  ['pip: full disk', 'Installing collected packages: torch\nERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n', 'disk', undefined, 'the disk of the machine is full'],
  ['pip: credentials', 'ERROR: HTTP error 403 while getting https://index.test/simple/x/\n', 'access', undefined, /credentials/],
  ['pip: git', "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?\n", 'tools', undefined, /comes from git, which is not on the machine/],
  ['Python without pip', '/usr/bin/python3: No module named pip\n', 'tools', undefined, /no pip/],
  ['uv: no such package', '  × No solution found when resolving dependencies:\n  ╰─▶ Because nosuch was not found in the package registry and you require\n      nosuch, we can conclude that your requirements are unsatisfiable.\n', 'unknown-package', 'nosuch', 'the package index has no nosuch'],
  ['uv: no such version', '  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of rich==999 and you require rich==999, we\n      can conclude that your requirements are unsatisfiable.\n', 'unknown-package', 'rich==999', 'the package index has no rich==999'],
  ['uv: only older ones', '  × No solution found when resolving dependencies:\n  ╰─▶ Because only rich<=13.9.4 is available and you require rich>=999,\n      we can conclude that your requirements are unsatisfiable.\n', 'unknown-package', 'rich>=999', 'the package index has no rich>=999, only rich<=13.9.4'],
  ['uv: Python too old', '  × No solution found when resolving dependencies:\n  ╰─▶ Because the current Python version (3.9.2) does not satisfy Python>=3.10 and a depends on it\n', 'python', undefined, 'Python>=3.10 is required, and this is 3.9.2'],
  ['uv: no network', 'error: Failed to fetch: `https://pypi.org/simple/torch/`\n  Caused by: error sending request for url (https://pypi.org/simple/torch/)\n  Caused by: dns error: failed to lookup address information: Temporary failure in name resolution\n', 'network', undefined, 'the machine cannot reach the package index'],
  ['uv: cannot build', '  × Failed to build `flash-attn==2.5.0`\n  ├─▶ The build backend returned an error\n', 'build', 'flash-attn==2.5.0', /^flash-attn==2.5.0 has no wheel/],
  ['uv: full disk', 'error: Failed to install: torch-2.0-cp311.whl (torch==2.0)\n  Caused by: failed to copy file: No space left on device (os error 28)\n', 'disk', undefined, /disk/],
  ['ours: nothing to install with', 'runctl: cannot install: /usr/bin/python3 has neither pip nor ensurepip nor virtualenv, and there is no uv (Debian and Ubuntu: apt-get install python3-venv)\n', 'tools', undefined, /python3-venv/],
  ['ours: no such Python', 'runctl: cannot install: Python >=3.13 is required, and this machine has none: /usr/bin/python3 is 3.11.2\n', 'python', undefined, /^Python >=3.13 is required, and this machine has none: \/usr\/bin\/python3 is 3.11.2$/],
];

test.each(CASES)('R054 %s', (_name, log, trouble, named, why) => {
  const failure = explainInstall(log, 1);
  expect({ trouble: failure.trouble, package: failure.package }).toEqual({ trouble, package: named });
  if (typeof why === 'string') expect(failure.why).toBe(why);
  else expect(failure.why).toMatch(why);
});

test('R054 what is not recognized is told by its code', () => {
  expect(explainInstall('something else\n', 7)).toEqual({ trouble: 'unknown', why: 'the installer ended with code 7' });
  expect(explainInstall('Installing collected packages: torch\n', 137)).toMatchObject({ trouble: 'memory', why: expect.stringContaining('out of memory') });
  expect(explainInstall('', undefined)).toMatchObject({ trouble: 'unknown', why: 'the installer vanished without a word' });
});

test('a passing trouble with the network is not what the failure is blamed on', () => {
  expect(explainInstall(`${RETRYING}ERROR: Failed building wheel for flash-attn\n`, 1)).toMatchObject({ trouble: 'build', package: 'flash-attn' });
});
