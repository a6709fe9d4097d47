// What a machine says about itself: every odd value that drivers and kernels are known to print, and the real probe on this one.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import probe from './machine.py?raw';
import { parseDf, parseGpus, parseMachine } from './parse-machine.ts';

const TITLES = 'index, name, utilization.gpu [%], memory.used [MiB], memory.total [MiB], temperature.gpu, power.draw [W]';

describe('D37 GPUs', () => {
  test('one, as nvidia-smi prints it', () => {
    expect(parseGpus(`${TITLES}\n0, Tesla T4, 97 %, 13824 MiB, 15360 MiB, 71, 68.41 W\n`)).toEqual([
      { index: 0, name: 'Tesla T4', utilizationPercent: 97, memoryUsedMb: 13_824, memoryTotalMb: 15_360, temperatureC: 71, powerW: 68.41 },
    ]);
  });

  test('eight, with CRLF and an idle one', () => {
    const rows = Array.from({ length: 8 }, (_, at) => `${at}, NVIDIA A100-SXM4-40GB, ${at === 7 ? 0 : 100} %, ${at === 7 ? 4 : 39_000} MiB, 40960 MiB, ${30 + at}, ${50 + at}.00 W`);
    const gpus = parseGpus(`${TITLES}\r\n${rows.join('\r\n')}\r\n`);
    expect(gpus.map((gpu) => gpu.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(gpus[7]).toEqual({ index: 7, name: 'NVIDIA A100-SXM4-40GB', utilizationPercent: 0, memoryUsedMb: 4, memoryTotalMb: 40_960, temperatureC: 37, powerW: 57 });
  });

  test.each([
    ['what the driver does not say', `${TITLES}\n0, GRID K520, [N/A], [Not Supported], 4095 MiB, N/A, [Unknown Error]`, [{ index: 0, name: 'GRID K520', memoryTotalMb: 4095 }]],
    ['units in the title only', 'index, name, memory.used [GiB], memory.total [KiB]\n0, X, 2, 2048', [{ index: 0, name: 'X', memoryUsedMb: 2048, memoryTotalMb: 2 }]],
    ['units in the values only', 'index, name, memory.used\n0, X, 2 GiB', [{ index: 0, name: 'X', memoryUsedMb: 2048 }]],
    ['warnings before the table', `WARNING: infoROM is corrupted at gpu 0000:00:1E.0\n${TITLES}\n0, L4, 5 %, 1 MiB, 2 MiB, 3, 4 W`, [{ index: 0, name: 'L4', utilizationPercent: 5, memoryUsedMb: 1, memoryTotalMb: 2, temperatureC: 3, powerW: 4 }]],
    ['a row that breaks off', `${TITLES}\n0, L4, 5 %\n1`, [{ index: 0, name: 'L4', utilizationPercent: 5 }, { index: 1, name: 'GPU' }]],
    ['a name that is no ASCII', 'index, name\n3, ビデオ\u001b[31m', [{ index: 3, name: 'ビデオ\u001b[31m' }]],
    ['no GPU', 'No devices were found\n', []],
    ['nothing', '', []],
    ['a row that is none', `${TITLES}\nGPU is lost.  Reboot the system to recover this GPU\n`, []],
  ])('%s', (_what, csv, expected) => {
    expect(parseGpus(csv)).toEqual(expected);
  });
});

describe('D37 disks', () => {
  const HEAD = 'Filesystem     1024-blocks      Used Available Capacity Mounted on\n';
  test.each([
    ['a root disk and a data disk', '/dev/nvme0n1p1    104846316  52423158  52423158      50% /\n/dev/nvme1n1     1048576000         0 996147200       0% /mnt/data\n', [['/', 100, 50, 50], ['/mnt/data', 1000, 0, 0]]],
    ['blanks in a mount point and in a device', '//nas/my share  1048576  1048576  0  100% /mnt/my share\n', [['/mnt/my share', 1, 1, 100]]],
    ['what is no disk', '/dev/nvme0n1p128 10202 1310 8892 13% /boot/efi\ntmpfs 1000 0 1000 0% /dev/shm\ndevtmpfs 1 0 1 0% /dev\n/dev/loop3 65536 65536 0 100% /snap/core\nudev 5 0 5 0% /dev\n', []],
    ['a root that is an overlay, and the same device again', 'overlay 1048576 524288 524288 50% /\noverlay 1048576 524288 524288 50% /etc/hosts\n', [['/', 1, 0.5, 50]]],
    ['more used than there is', '/dev/sda1 1048576 1048576 -5000 101% /\n', [['/', 1, 1, 101]]],
    ['lines that are none', 'df: /mnt/x: Stale file handle\n\n', []],
    ['a size of nothing', 'none 0 0 0 0% /run/x\n/dev/z 0 0 0 -  /y\n', []],
  ])('%s', (_what, rows, expected) => {
    expect(parseDf(HEAD + rows).map((disk) => [disk.mount, disk.totalGb, disk.usedGb, disk.usedPercent])).toEqual(expected);
  });
});

describe('the whole', () => {
  const least = { at: 1_800_000_000.25, processes: [] };

  test('whatever is missing is absent, nothing is made up', () => {
    expect(parseMachine(JSON.stringify(least))).toEqual({ at: 1_800_000_000_250, load: [], disks: [], gpus: [], jobs: [], processes: [], notes: [] });
  });

  test('D35 processes: long, foreign and dangerous commands stay as they are; the job is marked', () => {
    const rows = [
      { pid: 7, user: 'ubuntu', cpuPercent: 399.5, memoryPercent: 12.5, memoryMb: 4096, elapsedS: 90_000, command: 'python3 train.py', job: 'run-20260101-abcdef' },
      { pid: 8, user: '1001', cpuPercent: 0, memoryPercent: null, memoryMb: 1, elapsedS: 0, command: 'ü 漢字 \u001b]0;x\u0007' },
      { pid: 9 },
    ];
    const { processes, jobs, cpuPercent, memory } = parseMachine(JSON.stringify({ ...least, cpuPercent: 50.5, memoryKb: { total: 2_097_152, used: 1_048_576, swapTotal: 0, swapUsed: 0 }, processes: rows, jobs: [{ pid: 7, runId: 'run-20260101-abcdef' }, { pid: 'x' }] }));
    expect(processes[0]).toEqual(rows[0]);
    expect(processes[1]).toEqual({ pid: 8, user: '1001', cpuPercent: 0, memoryMb: 1, elapsedS: 0, command: 'ü 漢字 \u001b]0;x\u0007' });
    expect(processes[2]).toEqual({ pid: 9, user: '?', cpuPercent: 0, memoryMb: 0, elapsedS: 0, command: '' });
    expect(jobs).toEqual([{ pid: 7, runId: 'run-20260101-abcdef' }]);
    expect({ cpuPercent, memory }).toEqual({ cpuPercent: 50.5, memory: { totalMb: 2048, usedMb: 1024, usedPercent: 50, swapTotalMb: 0, swapUsedMb: 0 } });
  });

  test('a driver that hangs is a note beside everything else', () => {
    expect(parseMachine(JSON.stringify({ ...least, gpusNote: 'nvidia-smi did not answer within 15 s' }))).toMatchObject({ gpus: [], notes: ['nvidia-smi did not answer within 15 s'] });
  });

  test.each(['', '{', 'null', '[]', '{"processes":[1]}', '{"processes":[{}]}', '{"processes":[],"memoryKb":3}'])('%s is no description', (json) => {
    expect(() => parseMachine(json)).toThrow(expect.objectContaining({ code: 'answer-broken' }));
  });
});

describe('machine.py', () => {
  let directory: string | undefined;
  afterEach(() => directory && rmSync(directory, { recursive: true }));
  const measure = (env: Record<string, string>, ...words: string[]) => {
    const done = spawnSync('python3', ['-I', '-c', probe, ...words], { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...env } });
    expect(done.stderr).toBe('');
    expect(done.stdout).toMatch(/^[\x20-\x7e]*\n$/);
    return parseMachine(done.stdout);
  };
  const bin = (program: string, text: string): string => {
    directory = mkdtempSync(join(tmpdir(), 'runctl-probe-'));
    writeFileSync(join(directory, program), text, { mode: 0o755 });
    return directory;
  };

  test('this machine: numbers, this very process among the jobs, no more rows than asked for', () => {
    const seen = measure({}, '5', '0.05', `${process.pid}=run-20260101-abcdef`);
    expect(seen.processes.length).toBeLessThanOrEqual(5);
    expect(seen.jobs).toEqual([{ pid: process.pid, runId: 'run-20260101-abcdef' }]);
    expect(seen.load).toHaveLength(3);
    expect(Math.abs(seen.at - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ['printf "index, name, utilization.gpu [%%]\\n0, Tesla T4, 12 %%\\n"', { gpus: [{ index: 0, name: 'Tesla T4', utilizationPercent: 12 }], notes: [] }],
    ['echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18', { gpus: [], notes: ['nvidia-smi ended with 18: Failed to initialize NVML: Driver/library version mismatch'] }],
  ])('nvidia-smi that does %s', (does, expected) => {
    expect(measure({ PATH: `${bin('nvidia-smi', `#!/bin/sh\n${does}\n`)}:${process.env['PATH']}` }, '1', '0.01')).toMatchObject(expected);
  });

  test('where there is no /proc, ps tells; a locale with commas and days of running time are understood', () => {
    const ps = bin('ps', '#!/bin/sh\nprintf "%s\\n" "  41    40 me  12,5  1,0  2048 2-03:04:05 /usr/bin/python3 train.py --name a b" "   7     7 root 99.0  0.1   512      01:02 kernel_task" "garbage"\n');
    const seen = measure({ PATH: `${ps}:${process.env['PATH']}`, RUNCTL_PROC: '/nowhere' }, '10', '0.01', '40=run-20260101-abcdef');
    expect(seen.processes).toEqual([
      { pid: 41, user: 'me', cpuPercent: 12.5, memoryPercent: 1, memoryMb: 2, elapsedS: 183_845, command: '/usr/bin/python3 train.py --name a b', job: 'run-20260101-abcdef' },
      { pid: 7, user: 'root', cpuPercent: 99, memoryPercent: 0.1, memoryMb: 0.5, elapsedS: 62, command: 'kernel_task' },
    ]);
  });

  test('a /proc of names with brackets, of zombies and of bytes that are no text; an answer never grows beyond what a shell takes', () => {
    directory = mkdtempSync(join(tmpdir(), 'runctl-proc-'));
    const proc = join(directory, 'proc');
    const put = (pid: string, stat: string, command: Buffer | string): void => {
      mkdirSync(join(proc, pid), { recursive: true });
      writeFileSync(join(proc, pid, 'stat'), stat);
      writeFileSync(join(proc, pid, 'status'), 'Name:\tx\nUid:\t99999\t99999\t0\t0\nVmRSS:\t    2048 kB\n');
      writeFileSync(join(proc, pid, 'cmdline'), command);
    };
    const row = (pid: number, name: string, state = 'S', group = pid): string => `${pid} (${name}) ${state} 1 ${group} 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 100 0 0`;
    put('self', row(1, 'self'), '');
    put('11', row(11, 'a) b (c'), '');
    put('12', row(12, 'gone', 'Z'), 'zombie');
    put('13', row(13, 'bytes', 'R', 500), Buffer.from([0x70, 0x79, 0, 0xff, 0xfe, 0x1b, 0]));
    for (let pid = 1000; pid < 1100; pid += 1) put(String(pid), row(pid, 'many'), '漢'.repeat(2000));
    writeFileSync(join(proc, 'stat'), 'cpu  1 2 3 4 5 6 7 8 9 10\n');
    writeFileSync(join(proc, 'meminfo'), 'MemTotal: 4096 kB\nMemFree: 1024 kB\nHugePages_Total: 0\n');
    const seen = measure({ RUNCTL_PROC: proc }, '200', '0.01', '500=run-20260101-abcdef');
    expect(seen.processes[0]).toMatchObject({ pid: 13, user: '99999', memoryMb: 2, memoryPercent: 50, command: 'py \ufffd\ufffd\u001b', job: 'run-20260101-abcdef' });
    expect(seen.processes.some(({ pid }) => pid === 12)).toBe(false);
    expect(seen.processes.find(({ pid }) => pid === 11)?.command).toBe('[a) b (c]');
    expect(seen.processes.length).toBeLessThan(100);
    expect(seen.notes).toEqual(['more processes than fit into one answer']);
    expect(seen.memory).toMatchObject({ totalMb: 4, usedMb: 3 });
  });
});
