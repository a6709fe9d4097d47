// Reads epoch, loss, accuracy and checkpoint lines out of what training scripts print. Pure text to numbers, last value
// wins. A guess by nature: for showing to people, never for deciding whether a job succeeded.

export interface Metrics {
  epoch?: number;
  /** Planned number of epochs. */
  epochs?: number;
  loss?: number;
  /** As printed, but percentages become fractions: 0.91. */
  accuracy?: number;
  /** Paths in order of appearance, each once. */
  checkpoints: string[];
}

const NUMBER = String.raw`([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)`;
const END = String.raw`(?![\w.]*\w)`;
const OPEN = String.raw`["']?\s*(?:[:=]|\bis\b)?\s*["']?`;
/** Not inside a longer word: `my_loss_fn` and `epochs` are other words. */
const START = String.raw`(?<![A-Za-z0-9_-])`;

// A validation value says more than a training value, so it wins on its own line.
const LOSS = [rx(String.raw`(?:val|valid|validation|eval|test)[_/ -]?loss`), rx(String.raw`(?:train(?:ing)?[_/ -]?)?loss`)];
const ACCURACY = [rx(String.raw`(?:val|valid|validation|eval|test|held-?out)[_/ -]?acc(?:uracy)?`), rx(String.raw`(?:train(?:ing)?[_/ -]?)?acc(?:uracy)?`)];
const EPOCH_OF = new RegExp(String.raw`${START}epochs?\b["']?\s*[:=#]?\s*["']?\[?\s*(\d+)\s*(?:\/|of)\s*(\d+)`, 'gi');
const EPOCH = new RegExp(String.raw`${START}epoch\b["']?\s*[:=#]?\s*["']?\[?\s*${NUMBER}${END}`, 'gi');
const EPOCHS = new RegExp(String.raw`${START}(?:num_|n_|total_|max_)?epochs\b["']?\s*[:=]\s*["']?(\d+)${END}`, 'gi');
const FILE = String.raw`["'\x60]?((?:[\w.~+=@:-]*\/)*[\w.+=@:-]*\.(?:pt|pth|ckpt|safetensors|bin|json|npz|pkl|h5|keras|onnx)|(?:[\w.~+=@:-]*\/)+[\w.+=@:-]*checkpoint-\d+\/?)(?![\w/])`;
const SAVED = new RegExp(String.raw`(?:checkpoint|saved?|saving|wrote|written)\b[^\n]*?(?<![\w./~-])${FILE}`, 'gi');

function rx(name: string): RegExp {
  return new RegExp(String.raw`${START}(?:${name})${OPEN}${NUMBER}\s*(%?)${END}`, 'gi');
}

/** Colours and cursor movements of progress bars (ECMA-48 control sequences). */
const CONTROL = new RegExp(String.raw`\u001b\[[0-?]*[ -/]*[@-~]`, 'g');
/** Longer lines are data, not a message; it also bounds the time the patterns take. */
const LONGEST_LINE = 2000;

export function parseMetrics(text: string): Metrics {
  const metrics: Metrics = { checkpoints: [] };
  for (const raw of text.replace(CONTROL, '').split(/[\r\n]+/)) {
    const line = raw.slice(0, LONGEST_LINE);
    const object = jsonObject(line);
    if (object) readObject(object, metrics);
    else readLine(line, metrics);
  }
  return metrics;
}

function readLine(line: string, metrics: Metrics): void {
  const of = last(line, EPOCH_OF);
  if (of) {
    metrics.epoch = Number(of[1]);
    metrics.epochs = Number(of[2]);
  } else {
    const epoch = last(line, EPOCH);
    if (epoch) metrics.epoch = Number(epoch[1]);
    const epochs = last(line, EPOCHS);
    if (epochs) metrics.epochs = Number(epochs[1]);
  }
  const loss = first(line, LOSS);
  if (loss) metrics.loss = Number(loss[1]);
  const accuracy = first(line, ACCURACY);
  if (accuracy) metrics.accuracy = accuracy[2] === '%' ? percent(Number(accuracy[1])) : Number(accuracy[1]);
  for (const match of line.matchAll(SAVED)) addCheckpoint(match[1]!, metrics);
}

/** Floating point would make 91.2 % into 0.9119999999999999. */
function percent(value: number): number {
  return Number((value / 100).toPrecision(12));
}

function last(line: string, pattern: RegExp): RegExpMatchArray | undefined {
  return [...line.matchAll(pattern)].at(-1);
}

function first(line: string, patterns: RegExp[]): RegExpMatchArray | undefined {
  for (const pattern of patterns) {
    const match = last(line, pattern);
    if (match) return match;
  }
  return undefined;
}

function addCheckpoint(path: string, metrics: Metrics): void {
  if (!metrics.checkpoints.includes(path)) metrics.checkpoints.push(path);
}

function jsonObject(line: string): Record<string, unknown> | undefined {
  const text = line.trim();
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Half a line, or a Python dict: read as words.
    return undefined;
  }
}

const KEYS = {
  epoch: ['epoch', 'current_epoch'],
  epochs: ['epochs', 'num_epochs', 'n_epochs', 'total_epochs', 'max_epochs', 'num_train_epochs'],
  loss: ['eval_loss', 'val_loss', 'valid_loss', 'test_loss', 'loss', 'train_loss', 'train/loss'],
  accuracy: ['eval_accuracy', 'val_accuracy', 'val_acc', 'test_accuracy', 'test_acc', 'accuracy', 'acc', 'train_accuracy', 'train_acc'],
} as const;

function readObject(object: Record<string, unknown>, metrics: Metrics): void {
  for (const [name, keys] of Object.entries(KEYS)) {
    const value = keys.map((key) => object[key]).find((candidate) => typeof candidate === 'number');
    if (value !== undefined) metrics[name as keyof typeof KEYS] = value as number;
  }
  for (const key of ['checkpoint', 'checkpoint_path', 'saved']) {
    if (typeof object[key] === 'string') addCheckpoint(object[key], metrics);
  }
}
