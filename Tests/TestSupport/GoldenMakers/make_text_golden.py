#!/usr/bin/env python3
"""Make the golden data of generated text and perplexity: what transformers says of the embedded model.

    python3 -m venv .venv && .venv/bin/pip install torch==2.13.0+cpu transformers==5.23.0
    .venv/bin/python make_text_golden.py ../../../Examples/tiny-model/checkpoint ../Golden/tiny_model_text.json

In float32: greedy tokens of some prompts, and of a batch of them with padding on the left; the mean loss
of the first 2,000 tokens of `valid.txt`, in windows of 256 tokens every 128.
"""
import json, os, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = ["And it came to pass", "In the beginning", "Blessed is", "1 And the", "Thou shalt not"]
WINDOW, STRIDE, TOKENS = 256, 128, 2000


def main(folder, out):
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    texts = []
    with torch.no_grad():
        batch = tokenizer(PROMPTS, return_tensors="pt", padding=True)
        together = model.generate(**batch, max_new_tokens=40, do_sample=False)[:, batch["input_ids"].shape[1]:]
        for prompt, row in zip(PROMPTS, together.tolist()):
            ids = tokenizer(prompt, return_tensors="pt")
            new = model.generate(**ids, max_new_tokens=40, do_sample=False)[0, ids["input_ids"].shape[1]:].tolist()
            assert new == row[:len(new)], prompt
            texts.append({"prompt": prompt, "tokens": new, "text": tokenizer.decode(new, skip_special_tokens=True)})
        ids = tokenizer(open(os.path.join(folder, "valid.txt"), encoding="utf-8").read()).input_ids[:TOKENS]
        losses, end = [], 0
        for start in range(0, len(ids), STRIDE):
            last = min(start + WINDOW, len(ids))
            own = torch.tensor(ids[start:last])
            loss = torch.nn.functional.cross_entropy(model(own[None]).logits[0, :-1], own[1:], reduction="none")
            losses.append(loss[-min(last - end, len(own) - 1):].double())
            end = last
            if last == len(ids):
                break
        losses = torch.cat(losses)
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"texts": texts, "tokens": len(ids), "loss_count": len(losses), "window": WINDOW,
                   "stride": STRIDE, "mean_loss": float(losses.mean())}, file, indent=1, ensure_ascii=False)
        file.write("\n")


main(*sys.argv[1:])
