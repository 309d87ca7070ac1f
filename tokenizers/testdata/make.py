"""Asks the Rust library (Python's package tokenizers 0.23.3) how it cuts hostile texts, by tokenizers of many kinds: the splitting
patterns of Tekken, o200k, Qwen 3.5, DeepSeek V3 and others, and SentencePiece's kinds as Llama 2, Mistral, Gemma, T5, ALBERT and
XLM-R have them, trained here on a little text (sentencepiece 0.2 compiles the normalization rules).

    python make.py TEXTS OUT [N]

TEXTS is a folder of text files to train on (this repository's docs). With N each kind gets N texts, for a run of
TestKinds with N2G_TOKENIZER_CASES=OUT; without it OUT is kinds.json.gz, a sample small enough to be kept."""
import base64
import gzip
import io
import json
import pathlib
import random
import sys

import sentencepiece
import tokenizers
from tokenizers import Regex, Tokenizer, pre_tokenizers

folder, out = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0
corpus = "\n".join(path.read_text() for path in sorted(pathlib.Path(folder).glob("*.md")))
corpus += "\nÜber die Brücke ging’s; élève, naïve, čeština, ΑΒΓ αβγ, АБВ абв, 中文字符 日本語 ひらがな カタカナ 한국어 ไทย हिन्दी नमस्ते عربي עברית ½ ① ǅ ﬁ Ａ 🙂👩‍👩‍👧\n" * 20
lines = [line for line in corpus.split("\n") if line.strip()]

TEKKEN = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTION + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTION + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
KIMI = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+" + CONTRACTION + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*" + CONTRACTION + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+", r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def build(**sections):
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None}
    file.update(sections)
    return file


def added(*contents):
    return [{"id": i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, c in enumerate(contents)]


def byte_level(*patterns, normalizer=None, ignore_merges=False):
    """A byte-level BPE with its merges learned behind these patterns."""
    steps = {"type": "Sequence", "pretokenizers": [split(p) for p in patterns] + [BYTES]}
    file = build(pre_tokenizer=steps, decoder=BYTES, normalizer=normalizer,
                 model={"type": "BPE", "vocab": {}, "merges": [], "ignore_merges": ignore_merges})
    t = Tokenizer.from_str(json.dumps(file))
    t.train_from_iterator(lines, tokenizers.trainers.BpeTrainer(vocab_size=420, show_progress=False, special_tokens=["<|endoftext|>"],
                                                                initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    made = json.loads(t.to_str())
    made["model"]["ignore_merges"] = ignore_merges
    return made


def sentence_piece(kind, rule, size, **options):
    """The pieces, scores and rules of a model that the SentencePiece library trains."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, model_type=kind, vocab_size=size,
                                             normalization_rule_name=rule, minloglevel=2, **options)
    from sentencepiece import sentencepiece_model_pb2 as proto
    m = proto.ModelProto()
    m.ParseFromString(model.getvalue())
    return [(p.piece, p.score) for p in m.pieces], base64.b64encode(m.normalizer_spec.precompiled_charsmap).decode()


def bpe_of(pieces):
    """Merges in the order of scores, as transformers' converter for SentencePiece finds them."""
    vocab = {piece: i for i, (piece, _) in enumerate(pieces)}
    merges = []
    for piece, score in pieces:
        local = [(piece[:i], piece[i:], vocab[piece]) for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab]
        local.sort(key=lambda m: (vocab[m[0]], vocab[m[1]]))
        merges += local
    merges.sort(key=lambda m: m[2])
    return vocab, [[a, b] for a, b, _ in merges]


METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
TO_BLANK = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
FROM_BLANK = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
FALLBACK = [TO_BLANK, {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


def template(*parts, ids):
    return {"type": "TemplateProcessing", "pair": [], "single": [{"Sequence": {"id": "A", "type_id": 0}} if p is None else {"SpecialToken": {"id": p, "type_id": 0}} for p in parts],
            "special_tokens": {p: {"id": p, "ids": [ids[p]], "tokens": [p]} for p in parts if p is not None}}


def llama(kind):
    pieces, _ = sentence_piece("bpe", "identity", 800, byte_fallback=True, split_digits=True, user_defined_symbols=["\n"] if kind == "gemma" else [])
    vocab, merges = bpe_of(pieces)
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": vocab, "merges": merges}
    file = build(added_tokens=added("<unk>", "<s>", "</s>"), model=model, post_processor=template("<s>", None, ids=vocab),
                 decoder={"type": "Sequence", "decoders": FALLBACK + [STRIP]})
    if kind == "llama":
        file["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, FROM_BLANK]}
    if kind == "mistral":
        file["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    if kind == "gemma":
        file["normalizer"] = FROM_BLANK
        file["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
        file["decoder"]["decoders"] = FALLBACK
    return file


def unigram(kind):
    pieces, rules = sentence_piece("unigram", "nmt_nfkc", 600, byte_fallback=kind == "fallback", unk_surface=" ⁇ ")
    vocab = {piece: i for i, (piece, _) in enumerate(pieces)}
    file = build(added_tokens=added("<unk>", "<s>", "</s>"), pre_tokenizer=METASPACE, decoder=METASPACE, post_processor=template(None, "</s>", ids=vocab),
                 model={"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": kind == "fallback"},
                 normalizer={"type": "Precompiled", "precompiled_charsmap": rules})
    if kind == "t5":
        file["normalizer"] = {"type": "Sequence", "normalizers": [file["normalizer"], {"type": "Strip", "strip_left": False, "strip_right": True},
                                                                    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}
    if kind == "xlmr":
        file["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]}
        file["post_processor"] = template("<s>", None, "</s>", ids=vocab)
    if kind == "albert":
        quotes = [{"type": "Replace", "pattern": {"String": q}, "content": '"'} for q in ("``", "''")]
        file["normalizer"] = {"type": "Sequence", "normalizers": quotes + [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, file["normalizer"]]}
    if kind == "whole":
        file["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, FROM_BLANK]}
        file["pre_tokenizer"] = None
        file["decoder"] = {"type": "Sequence", "decoders": [TO_BLANK, {"type": "Fuse"}]}
    if kind == "fallback":
        file["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
        file["decoder"] = {"type": "Sequence", "decoders": FALLBACK + [STRIP]}
    return file


KINDS = {
    "tekken": lambda: byte_level(TEKKEN, ignore_merges=True), "o200k": lambda: byte_level(O200K), "qwen35": lambda: byte_level(QWEN35, normalizer={"type": "NFC"}),
    "deepseek": lambda: byte_level(*DEEPSEEK), "cl100k": lambda: byte_level(CL100K), "llama3": lambda: byte_level(LLAMA3), "kimi": lambda: byte_level(KIMI),
    "llama2": lambda: llama("llama"), "mistral": lambda: llama("mistral"), "gemma": lambda: llama("gemma"),
    "t5": lambda: unigram("t5"), "xlmr": lambda: unigram("xlmr"), "albert": lambda: unigram("albert"), "whole": lambda: unigram("whole"), "fallback": lambda: unigram("fallback"),
}
# Expressions by themselves: what a Split by them isolates.
PATTERNS = [TEKKEN, O200K, QWEN35, CL100K, LLAMA3, KIMI, *DEEPSEEK, r"\w+|[^\w\s]+", r"\b\w", r"\B.", r"(?<=\s)\S+", r"(?<!\w)\p{Lu}\w*", r"^\s*\S+", r"\S+$", r".\z",
            r"\s+(?=\d)", r"[^\S\n]+", r"a|ab|abc", r"(?:ab|a)(?:c|bcd)?", r"x*?y", r"\d{2,4}?", r"(?i:k+|[a-f]x?)", r"[\p{L}&&[^a-z]]+", r"[^[a-m]n-z]+", r"\h+", r"\p{^L}+", r"\P{L}{3}",
            r"(?:\r\n|\n)+", r"\p{Han}+|\p{Hiragana}+|\p{Katakana}+", r"\p{Sc}|\p{Sm}|\p{Sk}|\p{So}", r"[\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}\p{Pc}]+", r"\p{Nl}|\p{No}", r"[\p{Cf}\p{Cc}\p{Co}\p{Cn}]",
            r"(a+b|a)", r"(?:a|b)*c|a", r"[a-cx-z]{,2}\d", r"\u0041|\x{1F642}", r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++", r"\p{L}*+\d|.", BLOOM]

FRAGMENTS = ["the", "The", "THE", "iPhone", "HTTPServer", "don't", "DON'T", "we'LL", "it's", "'S", "'ſ", "'re", "'Ve ", "’s", "''", "``", "é", "e\u0301", "É", "ñ", "ß", "ẞ", "ﬁ", "ﬀ", "ŉ", "İ", "ı", "K",
             "ǅ", "ǆ", "ʰ", "ª", "º", "ⅷ", "Ⅷ", "①", "½", "²", "٣", "१", "𝟘", "𝐀", "12", "1234", "3.14", "1,000", " ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", " \n", "\n ", "\u00a0", "\u2003", "\u3000",
             "\u200b", "\u200c", "\u200d", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x00", "\x01", "\x7f", "\x9f", "\ufeff", "\ufffd", "\u00ad", "\ue000", "\U000e0001", "\U0010ffff", "\u0378", "\U0001cf00",
             ".", "...", "!?", "--", "—", "…", "_", "__", "/", "//", "/\n", "\\", "$", "€", "+", "<", ">", "=", "|", "~", "^", "©", "™", "🙂", "👩‍👩‍👧", "🏳️‍🌈", "🇩🇪", "👍🏽", "☃", "中文", "字", "漢字かな", "カタカナ", "ｶﾞ", "ー", "한국어",
             "각", "ᄀ", "ᆨ", "ไทย", "ำ", "हिन्दी", "क्ष", "நி", "عربي", "שלום", "α", "Σ", "ς", "Ж", "и\u0306", "й", "a\u0323\u0307", "\u0301", "\u0345", "\u0903", "\u20dd", "Ａ", "Ａ\u0301", "１", "㈱", "㎏", "ﷺ", "ⓐ", "℃",
             "▁", "▁▁", "Ġ", "<s>", "</s>", "<unk>", "<0x0A>", "<0xZZ>", "<|endoftext|>", "<|", "##", "a", "b", "x", "aaaa", "ab", "abc", "xy", "k", "K", "A0", "0A", "�", "\U00011f5a", "\U0001e5d0", "\u1c89", "\ua7cb", "\U000105c0"]


def texts(seed, n):
    rng = random.Random(seed)
    words = corpus.split(" ")
    for i in range(n):
        kind = i % 8
        if kind == 0:
            yield "".join(rng.choice(FRAGMENTS) for _ in range(rng.randint(1, 12)))
        elif kind == 1:
            start = rng.randrange(len(corpus) - 200)
            yield corpus[start:start + rng.randint(1, 120)]
        elif kind == 2:
            yield "".join(rng.choice(FRAGMENTS) + rng.choice(["", "", " ", "\n"]) for _ in range(rng.randint(1, 8)))
        elif kind == 3:
            yield rng.choice(FRAGMENTS) * rng.randint(1, 40) + rng.choice(FRAGMENTS)
        elif kind == 4:
            yield "".join(chr(c) for c in (rng.randrange(0x110000) for _ in range(rng.randint(1, 8))) if not 0xD800 <= c <= 0xDFFF)
        elif kind == 5:
            yield "".join(chr(rng.choice([rng.randrange(0x80), rng.randrange(0x500), rng.randrange(0x3100), 0x300 + rng.randrange(0x70)])) for _ in range(rng.randint(1, 16)))
        elif kind == 6:
            yield " ".join(rng.choice(words) for _ in range(rng.randint(1, 10)))
        else:
            mixed = list(rng.choice(words) + rng.choice(FRAGMENTS) + rng.choice(words))
            rng.shuffle(mixed)
            yield "".join(mixed)


def case(t, text):
    plain = t.encode(text, add_special_tokens=False)
    special = t.encode(text)
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return {"text": text, "ids": plain.ids, "offsets": [[at[a], at[b]] for a, b in plain.offsets], "ids_special": special.ids,
            "decode": t.decode(special.ids, skip_special_tokens=False), "decode_skip_special": t.decode(special.ids, skip_special_tokens=True)}


result = {"charsmap": "", "kinds": [], "patterns": []}
for number, (name, make) in enumerate(KINDS.items()):
    file = make()
    t = Tokenizer.from_str(json.dumps(file))
    for part in [file["normalizer"] or {}] + (file["normalizer"] or {}).get("normalizers", []):
        if "precompiled_charsmap" in part:  # it is long, and the same in all
            result["charsmap"], part["precompiled_charsmap"] = part["precompiled_charsmap"], "$charsmap"
    result["kinds"].append({"name": name, "file": file, "cases": [case(t, text) for text in texts(number, count or 48)]})
for number, pattern in enumerate(PATTERNS):
    s = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    cases = []
    for text in texts(1000 + number, count or 16):
        cases.append({"text": text, "spans": [list(span) for _, span in s.pre_tokenize_str(text)] if text else []})
    result["patterns"].append({"pattern": pattern, "cases": cases})
with gzip.GzipFile(out, "wb", 9, mtime=0) as file:
    file.write(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())
