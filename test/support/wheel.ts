// A wheel made by hand, so that real installers have something to install without an index. Source: PyPA "Binary distribution format".
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const MAKE = `import sys, zipfile
file, name, version, *requires = sys.argv[1:]
module, info = name.replace('-', '_'), '%s-%s.dist-info' % (name.replace('-', '_'), version)
with zipfile.ZipFile(file, 'w') as wheel:
    wheel.writestr(module + '.py', 'VERSION = %r\\n' % version)
    wheel.writestr(info + '/METADATA', 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n%s' % (name, version, ''.join('Requires-Dist: %s\\n' % one for one in requires)))
    wheel.writestr(info + '/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + '/RECORD', ''.join('%s,,\\n' % entry for entry in wheel.namelist()) + info + '/RECORD,,\\n')`;

/** `name_version-py3-none-any.whl` in `directory`, holding one module with a VERSION. */
export function writeWheel(directory: string, name: string, version: string, requires: string[] = []): void {
  execFileSync('python3', ['-c', MAKE, join(directory, `${name.replaceAll('-', '_')}-${version}-py3-none-any.whl`), name, version, ...requires]);
}
