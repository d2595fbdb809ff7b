#!/usr/bin/env python3
"""Make the golden data of tokenizers: small ones of every style, and what the `tokenizers` package does.

    python3 -m venv .venv && .venv/bin/pip install tokenizers
    .venv/bin/python make_tokenizer_golden.py ../../../Examples/tiny-model/checkpoint/valid.txt OUT

Writes a folder for each tokenizer with `tokenizer.json`, trained on TEXT (the first argument), and
`cases.json`: texts with their ids without special tokens, and what the ids decode to. The first texts
are chosen, the last is TEXT, those between are random: scripts, emoji, combining marks, controls, white
space, and added tokens. `--strings N` sets their number, `--also NAME=tokenizer.json` takes one that is
there, `--text FILE` another last text. The output depends on nothing but the seed and the version.
"""
import argparse, json, os, random, shutil
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

SEED = 20260107
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
RANGES = [
    (0x20, 0x7E), (0x61, 0x7A), (0x41, 0x5A), (0xA0, 0x17F), (0x180, 0x24F), (0x250, 0x2AF),
    (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x556), (0x591, 0x5F4), (0x600, 0x6FF),
    (0x900, 0x97F), (0x980, 0x9B9), (0xB80, 0xBCD), (0xE01, 0xE5B), (0xF00, 0xF47), (0x10A0, 0x10FF),
    (0x1100, 0x11FF), (0x1200, 0x1248), (0x13A0, 0x13F5), (0x1780, 0x17DD), (0x1E00, 0x1EFF),
    (0x1F00, 0x1F15), (0x2000, 0x206F), (0x2070, 0x209C), (0x20A0, 0x20BF), (0x20D0, 0x20F0),
    (0x2100, 0x218B), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x3000, 0x303F),
    (0x3041, 0x3096), (0x30A0, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA48C),
    (0xAC00, 0xD7A3), (0xF900, 0xFAD9), (0xFB00, 0xFB06), (0xFE00, 0xFE0F), (0xFF01, 0xFFEE),
    (0x10000, 0x1004D), (0x10330, 0x1034A), (0x1D400, 0x1D454), (0x1F300, 0x1F64F),
    (0x1F680, 0x1F6FC), (0x1F900, 0x1F9FF), (0x20000, 0x2A6DF), (0xE0100, 0xE01EF),
    (0x00, 0x1F), (0x7F, 0x9F), (0xE000, 0xE010), (0xFFF9, 0xFFFD), (0x660, 0x669), (0x966, 0x96F),
]
SPACES = " \t\n\r\u000b\u000c\u0085\u00a0\u1680\u180e\u2003\u2009\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
CHOSEN = [
    "", " ", "  ", "a", " a", "a ", "Hello, world!", "It's we'll I'D they'Ve o'clock", "\n\n\n",
    "tabs\tand\r\nlines  \n  two spaces", "1234567890 3.14 1,000", "naïve café — “quoted” …", "日本語のテキスト",
    "한국어 텍스트", "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag", "e\u0301 = é, ﬁ ligature", "مرحبا بالعالم", "नमस्ते दुनिया",
    "def f(x):\n    return x ** 2\n\n\n# end", "<|im_start|>user\nHi<|im_end|>\n", "a<|im_end|><|im_end|>b",
    "x" * 300, " " * 200, "ab" * 400, "\u0000\u0001\uffff\U0010ffff", "▁already▁there ▁ x", "<0x0A>literal",
    "<s>begin</s> end", "wordTOKword TOK word", "left   LSTRIP right   RSTRIP   end",
]


def random_text(rng, extra):
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.15:
            parts.append("".join(rng.choice(SPACES) for _ in range(rng.randint(1, 4))))
        elif kind < 0.2:
            parts.append(rng.choice(extra))
        elif kind < 0.4:
            parts.append("".join(chr(rng.randint(0x61, 0x7A)) for _ in range(rng.randint(1, 8))))
        else:
            low, high = rng.choice(RANGES)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))))
        if rng.random() < 0.3:
            parts.append(" ")
    return "".join(parts)


def trained(model, trainer, text, **parts):
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(text.splitlines(True), trainer)
    return tokenizer


def byte_level(size, special):
    return trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                               initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def tokenizers(text):
    gpt2 = trained(models.BPE(), byte_level(900, ["<|endoftext|>"]), text,
                   pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
                   decoder=decoders.ByteLevel(), post_processor=processors.ByteLevel(trim_offsets=False))
    yield "gpt2", gpt2
    prefix = trained(models.BPE(), byte_level(700, []), text,
                     pre_tokenizer=pre_tokenizers.Sequence([
                         pre_tokenizers.Digits(individual_digits=True),
                         pre_tokenizers.ByteLevel(add_prefix_space=True)]),
                     decoder=decoders.ByteLevel())
    prefix.add_tokens([AddedToken("TOK", single_word=True), AddedToken("LSTRIP", lstrip=True),
                       AddedToken("RSTRIP", rstrip=True, normalized=False), "ab", "abab"])
    yield "digits_prefix", prefix
    qwen = trained(models.BPE(), byte_level(900, []), text, normalizer=normalizers.NFC(),
                   pre_tokenizer=pre_tokenizers.Sequence([
                       pre_tokenizers.Split(Regex(QWEN), "isolated"),
                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
                   decoder=decoders.ByteLevel())
    qwen.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    yield "qwen", qwen
    llama3 = trained(models.BPE(ignore_merges=True), byte_level(900, []), text,
                     pre_tokenizer=pre_tokenizers.Sequence([
                         pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
                     decoder=decoders.ByteLevel())
    llama3.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>"])
    start = llama3.token_to_id("<|begin_of_text|>")
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|> $B",
                                      [("<|begin_of_text|>", start)])])
    yield "llama3", llama3
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    for name in ["llama2", "mistral"]:
        model = models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
        trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=special, show_progress=False)
        if name == "llama2":
            parts = dict(normalizer=normalizers.Sequence([normalizers.Prepend("▁"),
                                                          normalizers.Replace(" ", "▁")]))
        else:
            parts = dict(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
        # Trained with words apart, as the originals were.
        tokenizer = trained(model, trainer, text, pre_tokenizer=pre_tokenizers.Metaspace())
        data = json.loads(tokenizer.to_str())
        data["pre_tokenizer"] = None
        data["added_tokens"] = [token for token in data["added_tokens"] if token["id"] < 3]
        tokenizer = Tokenizer.from_str(json.dumps(data))
        for key, part in parts.items():
            setattr(tokenizer, key, part)
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                               decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
        yield name, tokenizer
    # Words without byte fallback: characters that are none become unknown.
    metaspace = trained(models.BPE(unk_token="<unk>"),
                        trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>"], show_progress=False),
                        text, normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(),
                                                               normalizers.Strip()]),
                        pre_tokenizer=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace())
    yield "metaspace", metaspace


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("out")
    parser.add_argument("--strings", type=int, default=400)
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--last-text")
    arguments = parser.parse_args()
    text = open(arguments.text, encoding="utf-8").read()
    last = open(arguments.last_text, encoding="utf-8").read() if arguments.last_text else text
    made = list(tokenizers(text))
    for entry in arguments.also:
        name, path = entry.split("=")
        made.append((name, Tokenizer.from_file(path)))
    for name, tokenizer in made:
        folder = os.path.join(arguments.out, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        tokenizer.save(os.path.join(folder, "tokenizer.json"), pretty=False)
        rng = random.Random(SEED)
        extra = [token.content for token in tokenizer.get_added_tokens_decoder().values()][:40] or ["x"]
        texts = CHOSEN + [random_text(rng, extra) for _ in range(arguments.strings)] + [last]
        cases = []
        for own in texts:
            ids = tokenizer.encode(own, add_special_tokens=False).ids
            cases.append({"text": own, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
        # The last text is kept elsewhere.
        cases[-1]["text"] = cases[-1]["decoded"] = None
        if arguments.last_text:
            shutil.copy(arguments.last_text, os.path.join(folder, "last.txt"))
        special = tokenizer.encode("Hello").ids
        with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as file:
            json.dump({"hello_with_special_tokens": special, "cases": cases}, file, ensure_ascii=False,
                      separators=(",", ":"))
        print(name, tokenizer.get_vocab_size(), "tokens", len(cases), "cases")


main()
