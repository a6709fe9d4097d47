import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMetrics } from './metrics.ts';
import { anyText } from '../../test/support/any-text.ts';

describe('R075 basics: styles of log lines', () => {
  test.each([
    ['key=value', 'epoch=2 epochs=5 loss=0.413 accuracy=0.91', { epoch: 2, epochs: 5, loss: 0.413, accuracy: 0.91 }],
    ['words', 'epoch 1/3 loss 0.41 accuracy 0.91', { epoch: 1, epochs: 3, loss: 0.41, accuracy: 0.91 }],
    ['plain sentence', 'Epoch 3 of 10: loss is 1.5e-3, acc: 98.25%', { epoch: 3, epochs: 10, loss: 0.0015, accuracy: 0.9825 }],
    ['brackets', '[Epoch 4/20] Train Loss: 0.5 | Val Loss: 0.61 | Val Acc: 80.0 %', { epoch: 4, epochs: 20, loss: 0.61, accuracy: 0.8 }],
    ['JSON lines', '{"epoch": 2, "epochs": 3, "loss": 0.2, "val_accuracy": 0.93, "checkpoint": "ck/e2.json"}', { epoch: 2, epochs: 3, loss: 0.2, accuracy: 0.93, checkpoints: ['ck/e2.json'] }],
    ['tqdm', '\rEpoch 1/2:  10%|█         | 1/10 [00:01<00:09, loss=0.9]\rEpoch 1/2:  50%|█████     | 5/10 [00:03<00:02,  2.1it/s, loss=0.7, acc=0.55]', { epoch: 1, epochs: 2, loss: 0.7, accuracy: 0.55 }],
    ['Keras', 'Epoch 5/12\n 32/100 [=>...] - ETA: 2s - loss: 0.31 - accuracy: 0.88\n100/100 [====] - 1s 9ms/step - loss: 0.30 - accuracy: 0.89 - val_loss: 0.35 - val_accuracy: 0.87', { epoch: 5, epochs: 12, loss: 0.35, accuracy: 0.87 }],
    ['Hugging Face dict', "{'loss': 0.6931, 'learning_rate': 4.9e-05, 'epoch': 0.32}\n{'eval_loss': 0.51, 'eval_accuracy': 0.77, 'epoch': 1.0}", { epoch: 1, loss: 0.51, accuracy: 0.77 }],
    ['Lightning', 'Epoch 7: 100%|██████| 94/94 [00:02<00:00, 44.1it/s, v_num=3, train_loss=0.0512, val_acc=0.971]', { epoch: 7, loss: 0.0512, accuracy: 0.971 }],
    ['coloured', '\u001b[32mepoch\u001b[0m=3 \u001b[1mloss\u001b[0m=0.25', { epoch: 3, loss: 0.25 }],
    ['last value wins', 'epoch 1/3 loss 0.9\nepoch 2/3 loss 0.5\nepoch 3/3 loss 0.3 accuracy 0.9', { epoch: 3, epochs: 3, loss: 0.3, accuracy: 0.9 }],
    ['checkpoint lines', 'saved checkpoint checkpoints/epoch-1.json\nSaving model checkpoint to ./out/checkpoint-500\nwrote /tmp/m.safetensors, done\nsaved checkpoint checkpoints/epoch-1.json', { checkpoints: ['checkpoints/epoch-1.json', './out/checkpoint-500', '/tmp/m.safetensors'] }],
  ])('%s', (_style, text, expected) => {
    expect(parseMetrics(text)).toEqual({ checkpoints: [], ...expected });
  });

  test.each(['', 'hello', 'my_loss_fn 3', 'glossary 4', 'loss', 'loss: nan', 'lossless 3', 'epochal 3', '{"a":', 'train_loss_fn=3', 'loss v1.2.3', 'accurate 1', 'saved the day', 'null', '[1]', '{}'])('%j says nothing', (text) => {
    expect(parseMetrics(text)).toEqual({ checkpoints: [] });
  });

  test('any text is read without an error, and in linear time', () => {
    fc.assert(fc.property(anyText({ maxLength: 200 }), (text) => {
      expect(Array.isArray(parseMetrics(text).checkpoints)).toBe(true);
    }));
    for (const unit of ['epoch ', 'loss ', 'saved a/', '1', ' ', '/', '{"', 'save.']) {
      const startedAt = performance.now();
      parseMetrics(`${unit.repeat(200_000)}\n`.repeat(3));
      expect(performance.now() - startedAt).toBeLessThan(5000);
    }
  });
});
