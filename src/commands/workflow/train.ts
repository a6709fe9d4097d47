// runctl workflow train
import type { SyncExplanation } from '../../engine/explain-sync.ts';
import { type WorkflowTrainResult, workflowTrain } from '../../engine/workflow-train.ts';
import { CODE_FLAGS, codeRequest } from '../machine/code-flags.ts';
import { explain, explainText, isExplanation } from '../machine/explain.ts';
import { SCRIPT_FLAGS, scriptArguments } from '../machine/script-args.ts';
import { trainFacts } from '../machine/train.ts';
import { leaseWish } from '../../engine/lease/lease.ts';
import { LEASE_FLAGS } from '../aws/lease-flags.ts';
import { MACHINE_FLAGS, newMachine } from '../aws/machine-flags.ts';
import { SPOT_FLAGS, marketWish } from '../aws/spot-flags.ts';
import { defineCommand } from '../define.ts';

/** The name that every guide uses for the profile; a workflow cannot train without one. */
const USUAL_PROFILE = 'runctl-ssm-profile';

const FIELDS = {
  runId: true, instanceId: true, instanceType: true, market: true, fellBack: true, zone: true, region: true, machineState: true, script: true, phase: true, exitCode: true, epoch: true, loss: true,
  accuracy: true, checkpoint: true, logPath: true, outputs: true, elapsedS: true, costUsd: true, costIsAtMost: true, estimatedCostUsd: true, worstCostUsd: true, onDemandCostUsd: true,
  // Of --explain.
  root: true, why: true, marker: true, fileCount: true, bytes: true, packedBytes: true, route: true, bucket: true, maxDirectBytes: true,
} satisfies { [K in Exclude<keyof WorkflowTrainResult | keyof SyncExplanation, 'sync' | 'checkpoints' | 'files' | 'skipped' | 'warnings'>]-?: true };

export const workflowTrainCommand = defineCommand({
  description:
    `One command from nothing to a trained model: checks everything first, shows the price, creates the machine, sends the code, trains while showing the log, fetches log and checkpoints, terminates the machine and says what it cost. Whatever fails on the way, results are rescued and the machine does not go on billing (see --on-failure). SSM needs an instance profile: without --iam-instance-profile and aws.iam_instance_profile it is ${USUAL_PROFILE}.`,
  args: [{ name: 'script', summary: 'training script, a path inside the project' }],
  rest: 'arguments of the script, passed on byte for byte',
  flags: {
    instanceType: { kind: 'text', placeholder: 'TYPE', summary: 'instance type (default: aws.default_instance_type)' },
    ...MACHINE_FLAGS,
    ...SPOT_FLAGS,
    ...LEASE_FLAGS,
    onFailure: { kind: 'choice', values: ['terminate', 'stop', 'keep'], summary: 'what happens to the machine on failure (default: train.on_failure, else terminate)' },
    keep: { kind: 'switch', summary: 'keep the machine after success' },
    timeout: { kind: 'duration', placeholder: 'TIME', summary: 'longest wait for the machine to be ready (default 10m), and when given for spot capacity with --on-spot-failure wait' },
    trainTimeout: { kind: 'duration', placeholder: 'TIME', summary: 'longest training; after it the machine is treated as --on-failure says' },
    ...SCRIPT_FLAGS,
    ...CODE_FLAGS,
  },
  examples: [
    'runctl workflow train training/train_mnist_e2e.py --sim -- --epochs 3',
    'runctl workflow train train.py --instance-type g5.xlarge -- --epochs 50 --lr 0.001',
    'runctl workflow train train.py --hyperparams "lr=0.001,batch=32"',
    'runctl workflow train train.py --on-failure stop',
    'runctl workflow train train.py --spot --max-cost 5 --on-spot-failure on-demand -- --epochs 50',
  ],
  run: async (input, app) => {
    const { args, flags } = input;
    if (flags.explain) return explain(app, args['script'] as string, flags);
    const market = marketWish(flags, app.config.aws, { help: 'runctl workflow train --help', type: flags.instanceType, patienceMs: flags.timeout });
    return workflowTrain(app, {
      provider: 'aws',
      script: args['script'] as string,
      ...scriptArguments(input),
      ...newMachine(flags),
      ...market,
      lease: leaseWish(app, flags, 'workflow', market.spot ? 'spot' : 'on-demand'),
      profile: flags.iamInstanceProfile ?? app.config.aws.iam_instance_profile ?? USUAL_PROFILE,
      onFailure: flags.onFailure ?? app.config.train.on_failure,
      keep: flags.keep ?? false,
      timeoutMs: flags.timeout ?? 600_000,
      trainTimeoutMs: flags.trainTimeout,
      ...codeRequest(flags, app.config),
      syncCode: true,
    });
  },
  fields: Object.keys(FIELDS),
  text: (result: WorkflowTrainResult | SyncExplanation, style) => isExplanation(result) ? explainText(result, style) :
    [
      `${style.good('Training succeeded')} (exit code 0); machine ${result.instanceId} is ${result.machineState}`,
      ...trainFacts(result, [['Market', result.market === 'spot' ? spotText(result) : result.fellBack ? 'on-demand (no spot capacity)' : undefined]]),
    ].join('\n'),
});

/** "spot; on demand it would have cost $0.004120 (saved 63 %)" */
function spotText({ costUsd, onDemandCostUsd }: WorkflowTrainResult): string {
  if (onDemandCostUsd === undefined || costUsd === undefined || onDemandCostUsd === 0) return 'spot';
  return `spot; on demand it would have cost $${onDemandCostUsd.toFixed(6)} (saved ${Math.round((1 - costUsd / onDemandCostUsd) * 100)} %)`;
}
