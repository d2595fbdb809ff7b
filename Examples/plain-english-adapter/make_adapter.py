#!/usr/bin/env python3
"""Trains the embedded adapter: PEFT on the embedded model in NF4, towards plainer English.

    python make_adapter.py QUANTIZED_MODEL        a folder that `quantize convert --double-quant` wrote

The text is the model's held-out verses with old words replaced by those of today, cut in two: the first nine
tenths are trained on, the rest is measured. Needs torch, transformers, bitsandbytes and peft.
"""
import os
import re
import sys

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

WORDS = {
    "unto": "to", "thou": "you", "thee": "you", "ye": "you", "thy": "your", "thine": "your", "hath": "has",
    "doth": "does", "saith": "says", "shalt": "shall", "art": "are", "wilt": "will", "upon": "on", "behold": "look",
    "spake": "spoke", "begat": "had", "verily": "truly", "wherefore": "why", "yea": "yes", "nay": "no", "cometh": "comes",
    "thereof": "of it", "hast": "have", "didst": "did", "hadst": "had", "goeth": "goes", "maketh": "makes", "lest": "or else",
}
STEPS, ROWS, LENGTH, RATE = 60, 16, 96, 1e-3


def modern(text):
    def word(match):
        old = match.group(0)
        new = WORDS.get(old.lower(), old)
        return new.capitalize() if old[0].isupper() else new
    return re.sub(r"[A-Za-z]+", word, text)


def main():
    torch.manual_seed(4)
    here = os.path.dirname(os.path.abspath(__file__))
    base = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(base)
    text = modern(open(os.path.join(here, "..", "tiny-model", "checkpoint", "valid.txt"), encoding="utf-8").read())
    tokens = torch.tensor(tokenizer(text)["input_ids"])
    split = len(tokens) * 9 // 10
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, device_map="cpu")
    config = peft.LoraConfig(r=4, lora_alpha=8, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(model, config)
    held = tokens[split:]
    held = held[: len(held) // LENGTH * LENGTH].reshape(-1, LENGTH)

    def loss():
        model.eval()
        with torch.no_grad():
            value = model(input_ids=held, labels=held).loss.item()
        model.train()
        return value

    before = loss()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE, weight_decay=0.0)
    for step in range(STEPS):
        starts = torch.randint(0, split - LENGTH, (ROWS,))
        rows = torch.stack([tokens[s : s + LENGTH] for s in starts])
        model(input_ids=rows, labels=rows).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        optimizer.step()
        optimizer.zero_grad()
    print(f"loss on held-out text: {before:.3f} before, {loss():.3f} after")
    model.peft_config["default"].base_model_name_or_path = "tiny-model"
    model.save_pretrained(os.path.join(here, "adapter"))


main()
