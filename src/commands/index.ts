// The word table: what users type, one line each, and where the command lives. Loading it loads no command.
import type { WordTable } from '../cli/words.ts';

export const WORDS: WordTable = {
  'workflow train': { summary: 'create a machine, train on it, fetch the results, remove the machine', load: async () => (await import('./workflow/train.ts')).workflowTrainCommand },
  'aws create': { summary: 'create a machine', aliases: ['new', 'spawn'], load: async () => (await import('./aws/create.ts')).createCommand },
  'aws train': { summary: 'send the code and start a training on a machine', aliases: ['run'], load: async () => (await import('./machine/train.ts')).trainCommand('aws') },
  'aws monitor': { summary: 'show the log of a training', aliases: ['watch', 'logs'], load: async () => (await import('./machine/monitor.ts')).monitorCommand('aws') },
  'aws status': { summary: 'state of a machine, its SSM connection and its training', load: async () => (await import('./machine/status.ts')).statusCommand('aws') },
  'aws training-status': { summary: 'how far the training is: phase, exit code, epoch, checkpoint, log', load: async () => (await import('./machine/training-status.ts')).trainingStatusCommand('aws') },
  'aws wait': { summary: 'wait until a machine runs and answers', load: async () => (await import('./machine/wait.ts')).waitCommand('aws') },
  'aws wait-ssm': { summary: 'wait until SSM answers on a running machine', load: async () => (await import('./aws/wait-ssm.ts')).waitSsmCommand },
  'aws start': { summary: 'start a stopped machine', aliases: ['resume'], load: async () => (await import('./machine/lifecycle.ts')).lifecycleCommand('aws', 'start') },
  'aws stop': { summary: 'stop a machine; its disk stays and costs little', aliases: ['pause'], load: async () => (await import('./machine/lifecycle.ts')).lifecycleCommand('aws', 'stop') },
  'aws terminate': { summary: 'terminate a machine; its disk goes too', aliases: ['destroy', 'rm', 'delete'], load: async () => (await import('./machine/lifecycle.ts')).lifecycleCommand('aws', 'terminate') },
  local: { summary: 'run a training script on this machine, with the same log, exit record and checkpoints', load: async () => (await import('./local.ts')).localCommand },
  'runs list': { summary: 'what was run, newest first', load: async () => (await import('./runs/list.ts')).runsListCommand },
  'runs show': { summary: 'one run: steps, times, effects on the cloud, result', load: async () => (await import('./runs/show.ts')).runsShowCommand },
  doctor: { summary: 'check credentials, region, bucket and profile', load: async () => (await import('./doctor.ts')).doctorCommand },
  init: { summary: 'write a commented .runctl.toml', load: async () => (await import('./init.ts')).initCommand },
  'config show': { summary: 'every setting, its value and where it comes from', load: async () => (await import('./config/show.ts')).configShowCommand },
  'config set': { summary: 'change one setting in the file, keeping its comments', load: async () => (await import('./config/set.ts')).configSetCommand },
  'config validate': { summary: 'check the configuration file', load: async () => (await import('./config/validate.ts')).configValidateCommand },
  'sim start': { summary: 'start the built-in cloud in the background', load: async () => (await import('./sim/start.ts')).simStartCommand },
  'sim stop': { summary: 'stop it; its state is kept', load: async () => (await import('./sim/stop.ts')).simStopCommand },
  'sim status': { summary: 'is it running, and what runs in it', load: async () => (await import('./sim/status.ts')).simStatusCommand },
  'sim reset': { summary: 'empty it: machines, buckets, bills', load: async () => (await import('./sim/reset.ts')).simResetCommand },
  'sim env': { summary: 'shell lines that point every AWS client at it', load: async () => (await import('./sim/env.ts')).simEnvCommand },
};
