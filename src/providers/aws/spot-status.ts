// What EC2 says of a spot request, in words, each with what to do. One row for each status code that EC2 documents.
// Source: EC2 User Guide, "Spot request status" (codes, and the states of request and instance they go with).

/** waiting: still open. unfilled: ended without a machine. filled. ended: the machine is gone or going by somebody's wish. interrupted: AWS takes, or took, it back. */
export type SpotPhase = 'waiting' | 'unfilled' | 'filled' | 'ended' | 'interrupted';

export interface SpotStatus {
  phase: SpotPhase;
  /** Part of a sentence. */
  says: string;
  why: string;
  /** Whole commands, most useful first. */
  hints: string[];
}

const OTHER_POOLS = 'runctl aws create TYPE --spot --types TYPE,TYPE --spot-timeout 5m';
const ON_DEMAND = 'runctl aws create TYPE --on-demand';
const PRICES = 'aws ec2 describe-spot-price-history --instance-types TYPE --product-descriptions Linux/UNIX --start-time "$(date -u +%FT%TZ)" --output table';
const REQUESTS = "aws ec2 describe-spot-instance-requests --query 'SpotInstanceRequests[].[SpotInstanceRequestId,State,Status.Code,Status.Message,InstanceId]' --output table";
const ASK = 'runctl aws status INSTANCE_ID';
const AGAIN = 'runctl aws create TYPE --spot';
const NEVER_OURS = 'Requests of runctl have none: this one was made by something else.';

const row = (phase: SpotPhase, says: string, why: string, ...hints: string[]): SpotStatus => ({ phase, says, why, hints });

export const SPOT_STATUS: ReadonlyMap<string, SpotStatus> = new Map(Object.entries({
  'pending-evaluation': row('waiting', 'EC2 is reading the request', 'The request was taken and is being checked; this lasts a moment.', REQUESTS),
  'capacity-not-available': row('waiting', 'there is no spare machine of this type in this zone now', 'Spot machines are what nobody pays the full price for. Another zone, another type, or some minutes often help; a higher price never does.', OTHER_POOLS, ON_DEMAND),
  'capacity-oversubscribed': row('waiting', 'more spot machines of this type are asked for in this zone than there are', 'Others asked first. Another zone or type is served from other machines.', OTHER_POOLS, ON_DEMAND),
  'price-too-low': row('waiting', 'the highest price allowed is below the spot price of this zone', 'The spot price moves with the demand of the zone. Without a limit of your own EC2 goes up to the on-demand price, never above.', 'runctl aws create TYPE --spot   # without a limit of your own', PRICES),
  'limit-exceeded': row('waiting', 'the account\'s spot quota, or its quota of disk space, is used up', 'Spot machines and open requests count against a vCPU quota of their own per family of types.', "aws service-quotas list-service-quotas --service-code ec2 --query \"Quotas[?contains(QuotaName,'Spot')].[QuotaCode,QuotaName,Value]\" --output text", ON_DEMAND),
  'not-scheduled-yet': row('waiting', 'the request begins at a later time', `It carries a start time. ${NEVER_OURS}`, REQUESTS),
  'launch-group-constraint': row('waiting', 'the request waits until all of its launch group can start together', `It names a launch group. ${NEVER_OURS}`, REQUESTS),
  'az-group-constraint': row('waiting', 'the request waits until its whole zone group fits into one zone', `It names an Availability Zone group. ${NEVER_OURS}`, REQUESTS),
  'placement-group-constraint': row('waiting', 'there is no room in the placement group of the request', `It names a placement group. ${NEVER_OURS}`, REQUESTS),
  'constraint-not-fulfillable': row('waiting', 'parts of the request exclude each other: the zone, the subnet or the image do not go with the type', 'Such a request is never filled, however long it waits.', 'runctl aws create TYPE --dry-run', REQUESTS),
  'schedule-expired': row('unfilled', 'the request was not filled before its end', 'Its time ran out while no machine was to be had.', AGAIN, ON_DEMAND),
  'canceled-before-fulfillment': row('unfilled', 'the request was cancelled before there was a machine', 'Whoever made it gave up, or its time was over. Nothing was launched, nothing is billed.', AGAIN, ON_DEMAND),
  'bad-parameters': row('unfilled', 'a value of the request is one that EC2 does not take', 'The image, the subnet, the security group or the key does not exist or does not go with the type. Asking again does not help.', 'runctl config show', 'runctl aws create TYPE --dry-run'),
  'system-error': row('unfilled', 'EC2 failed on its own side', 'Nothing is wrong with the request. Ask again.', AGAIN),
  'pending-fulfillment': row('filled', 'a machine was found and is being launched', 'From here to the running machine it takes seconds.', 'runctl runs list'),
  fulfilled: row('filled', 'the machine was launched', 'The request is active for as long as the machine is there.', 'runctl runs list'),
  'marked-for-stop': row('interrupted', 'AWS is about to stop the machine', 'A spot interruption: about two minutes remain to save.', ASK),
  'marked-for-termination': row('interrupted', 'AWS is about to terminate the machine', 'A spot interruption: about two minutes remain to save.', ASK, AGAIN),
  'instance-stopped-by-price': row('interrupted', 'AWS stopped the machine: the spot price rose above the highest price allowed', 'Only AWS can start it again. Its disk is kept and billed.', ASK, PRICES),
  'instance-stopped-no-capacity': row('interrupted', 'AWS stopped the machine: it needs the capacity for others', 'Only AWS can start it again. Its disk is kept and billed.', ASK, AGAIN),
  'instance-terminated-by-price': row('interrupted', 'AWS took the machine back: the spot price rose above the highest price allowed', 'A higher price allowed, or none, makes this rarer; EC2 never asks more than on demand.', AGAIN, PRICES),
  'instance-terminated-no-capacity': row('interrupted', 'AWS took the machine back: it needs the capacity for others', 'Types and zones with more spare capacity are taken back less often. The notice comes about two minutes before; EC2 may show the machine as running until then.', AGAIN, ON_DEMAND),
  'instance-terminated-capacity-oversubscribed': row('interrupted', 'AWS took the machine back: more spot machines were asked for than there is capacity', 'Types and zones with more spare capacity are taken back less often.', AGAIN, ON_DEMAND),
  'instance-terminated-by-service': row('interrupted', 'AWS ended the machine from a stopped state', 'A stopped spot machine that cannot be started again is given up by EC2.', AGAIN),
  'instance-terminated-by-schedule': row('interrupted', 'the machine ended with the time that it was bought for', `It was bought for a set time. ${NEVER_OURS}`, AGAIN),
  'instance-terminated-launch-group-constraint': row('interrupted', 'the machine ended because another one of its launch group did', `It names a launch group. ${NEVER_OURS}`, REQUESTS),
  'instance-terminated-by-experiment': row('interrupted', 'an experiment of AWS Fault Injection Service terminated the machine', 'Somebody of the account tests interruptions.', 'aws fis list-experiments'),
  'instance-stopped-by-experiment': row('interrupted', 'an experiment of AWS Fault Injection Service stopped the machine', 'Somebody of the account tests interruptions.', 'aws fis list-experiments'),
  'marked-for-stop-by-experiment': row('interrupted', 'an experiment of AWS Fault Injection Service is about to stop the machine', 'Somebody of the account tests interruptions.', 'aws fis list-experiments'),
  'instance-stopped-by-user': row('ended', 'somebody stopped the machine', 'Stopped by a call of the API, or by a shutdown from inside.', ASK),
  'instance-terminated-by-user': row('ended', 'somebody terminated the machine', 'Terminated by a call of the API, or by a shutdown from inside.', AGAIN),
  'spot-instance-terminated-by-user': row('ended', 'somebody terminated the spot machine', 'Terminated by a call of the API, or by a shutdown from inside.', AGAIN),
  'request-canceled-and-instance-running': row('ended', 'the request was cancelled, but its machine still runs and is billed', 'Cancelling a request ends no machine.', 'runctl runs list', 'runctl aws terminate INSTANCE_ID'),
}));

/** A sentence part with EC2's own words behind it; undefined when EC2 said nothing. */
export function readableStatus(code: string | undefined, message: string | undefined): string | undefined {
  if (code === undefined) return message || undefined;
  const known = SPOT_STATUS.get(code);
  return known === undefined ? [code, message].filter(Boolean).join(': ') : `${known.says} (${code})`;
}
