#!/usr/bin/env python3
"""Writes what Hugging Face's tokenizers make of texts, for ReferenceTokenizerTests.

Made with Python 3.14, transformers 5.12.1, tokenizers 0.23.1 (regular expressions by Oniguruma), sentencepiece 0.2.2
and protobuf 3.21.12. Run without arguments; it writes the other files of this folder:

* vocabularies.json: tokens in the order of their ids, and merges, of vocabularies trained here on generated text;
* pieces.model: a SentencePiece model trained here on the same text;
* references.json: texts, and for each case the files of a model folder and the ids and decoded texts.

In a case's tokenizer.json, model.vocab names a vocabulary, and the test puts tokens and merges in. A case gives ids for
every text, and "decoded" only for those texts that decoding does not give back as they were. Each folder is loaded as a
user would, by AutoTokenizer, beside a config.json of model_type llama.

A vocabulary that is there is used again, since trainings are not the same to the byte; delete it for a new one.
Merges go across spaces, digits, punctuation and scripts, so that a text that is cut elsewhere has
other ids.
"""

import json
import os
import random
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

transformers.logging.set_verbosity_error()

FOLDER = os.path.dirname(os.path.abspath(__file__))

TEXTS = [
    "", " ", "   ", "\n", " \t\n x\r\n", "Anna ran home.", " Anna ran  home ",
    "\n\n  if (a[0] != 'b') { return -12; }\n", "It's 12345 o'clock, they'LL say; don't!",
    "1 23 456 7890 1,234.50 ٣٤ ½", "CamelCase HTTPServer snake_case2 x__y", "... !!! ??? -- (a) [b] {c}",
    "naïve café Ångström", "e\u0301 n\u0303 A\u030a", "ﬁ ① Ⅷ ｗｉｄｅ ㎏", "straße ſ K İ ı", "日本語 テスト、中文。",
    "한국어 각 \u1100\u1161", "हिन्दी العربية ไทย", "Привет Ёж Σίσυφος", "😀👩‍👩‍👧 👍🏽 𝒜𐐀𠀀",
    "a\u00a0b\u2003c\u3000d\u200be\u2028f", "\x00\x01\x7f\x85", "<s>a x </s>b<unk> y", "<|begin|>Anna<|end|>\n",
    "x<mask> y <mask>. <mask>z\n<mask>", "the cat sat, cats and Cat", "[PAD][PAD] a[PAD]b", "▁a▁ _b_ <0x41>",
    "https://a.b/c?d=e&f=%20", "zzzzzzzzzzzzzzzz", "end ",
]

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 900, "hidden_size": 16,
    "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "bos_token_id": 1, "eos_token_id": 2,
}


def corpus():
    """Sentences of a small grammar, and the texts themselves, so that merges cross every kind of border in them."""
    draw = random.Random(1)
    names = ["Anna", "Tom", "the cat", "a dog", "Mr. Reed", "the old man"]
    verbs = ["ran", "sat", "said 'no'", "went home", "found 12 coins", "didn't know"]
    places = ["in the garden", "at 10:30", "on the hill", "near the sea", "(as always)"]
    ends = [".", "!", "...", "?", ",\n", ". "]
    sentences = [
        " ".join([draw.choice(names), draw.choice(verbs), draw.choice(places)]) + draw.choice(ends)
        for _ in range(1500)]
    lines = [" ".join(sentences[i:i + 4]) for i in range(0, len(sentences), 4)]
    plain = [text for text in TEXTS if "<" not in text and "[PAD]" not in text]
    return lines + plain * 12


def byte_vocabulary():
    """Byte-level pairs, trained without cutting."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<|none|>", "<|begin|>", "<|end|>"], max_token_length=12, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return stored(tokenizer)


def character_vocabulary():
    """Pairs of characters with a token for each byte, as Llama 2 has them."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=700, limit_alphabet=90, max_token_length=10, show_progress=False,
        special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]))
    return stored(tokenizer)


def stored(tokenizer):
    model = json.loads(tokenizer.to_str())["model"]
    return {"tokens": sorted(model["vocab"], key=model["vocab"].get), "merges": model["merges"]}


def bytes_of_text():
    """The bytes that UTF-8 has, and no merge."""
    never = [0xC0, 0xC1, *range(0xF5, 0x100)]
    tokens = ["<|none|>", "<|begin|>", "<|end|>"]
    return {"tokens": tokens + [c for byte, c in byte_alphabet().items() if byte not in never], "merges": []}


def byte_alphabet():
    """The character that stands for each byte (GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def piece_model():
    """A SentencePiece model of LLaMA's kind."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/corpus.txt", "w", encoding="utf-8") as file:
            file.write("\n".join(line.replace("\n", " ") for line in corpus()))
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/corpus.txt", model_prefix=f"{folder}/pieces", model_type="bpe", vocab_size=460,
            byte_fallback=True, character_coverage=0.99, normalization_rule_name="identity", add_dummy_prefix=True,
            remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True, num_threads=1,
            minloglevel=2)
        with open(f"{folder}/pieces.model", "rb") as file:
            model = sentencepiece_model_pb2.ModelProto.FromString(file.read())
    model.trainer_spec.ClearField("input")
    model.trainer_spec.ClearField("model_prefix")
    return model.SerializeToString()


# Parts of tokenizer.json.

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
WHOLE = BYTE_LEVEL | {"use_regex": False}
LLAMA_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}


def cut(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def normalize(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


def split(regex=None, behavior="Isolated", invert=False, string=None):
    pattern = {"Regex": regex} if string is None else {"String": string}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def metaspace(scheme, split_=False):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split_}


def template(*items):
    """A post-processor; items are ids with their token, and "text"."""
    single = [
        {"Sequence": {"id": "A", "type_id": 0}} if item == "text" else {"SpecialToken": {"id": item[1], "type_id": 0}}
        for item in items]
    special = {item[1]: {"id": item[1], "ids": [item[0]], "tokens": [item[1]]} for item in items if item != "text"}
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": special}


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True} | flags


def file(vocabulary, normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None, added=(), **model):
    """A tokenizer.json with the three special tokens that the vocabulary begins with."""
    tokens = VOCABULARIES[vocabulary]["tokens"]
    added_tokens = [{"id": i} | token(tokens[i]) for i in range(3)]
    next_id = len(tokens)
    for entry in added:
        known = entry["content"] in tokens
        added_tokens.append({"id": tokens.index(entry["content"]) if known else next_id} | entry)
        next_id += not known
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocabulary} | model}


def of_bytes(pre_tokenizer=BYTE_LEVEL, **parts):
    return file("bytes", pre_tokenizer=pre_tokenizer, **({"decoder": BYTE_LEVEL} | parts))


def of_characters(**parts):
    llama = {"post_processor": template((1, "<s>"), "text"), "decoder": LLAMA_DECODER, "unk_token": "<unk>",
             "fuse_unk": True, "byte_fallback": True}
    return file("characters", **(llama | parts))


PREPEND = normalize({"type": "Prepend", "prepend": "▁"}, replace({"String": " "}, "▁"))

# Published expressions, and syntax that Oniguruma has and others lack.

PUBLISHED = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
              r"|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
             r"|\s+(?!\S)|\s+",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
              r"|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
             r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
             r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
             r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
}
DEEPSEEK_LLM = [
    split("[\r\n]"), split("\\s?[A-Za-zµÀ-ÖØ-öø-ƺＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓]+"), split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"), split("\\s+$"),
    split("[一-龥ࠀ-一가-퟿]+"), {"type": "Digits", "individual_digits": True}, WHOLE]
DEEPSEEK_CODER = [
    split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"),
    {"type": "Digits", "individual_digits": True}, WHOLE]
ONIGURUMA = [
    r"^\s+", r"\s+$", r"\w+", r"\b", r"\bcat\b", r"[[:alpha:]]+", r"[[:punct:]]+", r"[[:^space:]]+",
    r"[a-z&&[^aeiou]]+", r"[\p{L}&&[^\p{Han}]&&[^a-f]]+", r"[a[x-z]]+", r"a++|\s*+\S", r"(?>a|an)n?", r"\h+",
    r"\x{1F600}|[\x{65E5}-\x{672C}]+", r"[😀-🙏]+|[𐐀-𐑏]+", r"\p{Han}+|\p{Hiragana}+", r"\p{^L}+", r"(?i:k|the)",
    r".+", r"(?m:.+)", r"(?<=\s)\S", r"\d(?=(?:\d{3})+\b)",
]

SETTINGS = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
            "add_bos_token": True, "add_eos_token": False, "legacy": False}
ADDED = {"<|begin|>": 460, "<|end|>": 461, "[PAD]": 462}


def decoder_entries(*added):
    entries = [("0", "<unk>", {}), ("1", "<s>", {}), ("2", "</s>", {}), *added]
    return {id_: token(content, **flags) for id_, content, flags in entries}


def cases():
    """Each case's name and the files of its folder; tokenizer.model is always pieces.model."""
    def json_only(tokenizer):
        return {"tokenizer.json": tokenizer}

    for name in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"]:
        yield f"normalizer {name}", json_only(of_bytes(normalizer={"type": name}))
    yield "normalizer ByteLevel", json_only(of_bytes(None, normalizer={"type": "ByteLevel"}))
    yield "normalizer Strip", json_only(of_bytes(normalizer={"type": "Strip", "strip_left": True, "strip_right": True}))
    yield "normalizer Prepend", json_only(of_bytes(normalizer={"type": "Prepend", "prepend": "x "}))
    yield "normalizer Replace", json_only(of_bytes(normalizer=replace({"String": "a"}, "bb")))
    yield "normalizer Replace by expression", json_only(of_bytes(normalizer=replace({"Regex": " {2,}|\\d"}, "_")))
    yield "normalizer Sequence", json_only(of_bytes(
        normalizer=normalize({"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"})))

    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        yield f"Split {behavior}", json_only(of_bytes(cut(split("[A-Z ]", behavior), WHOLE)))
        yield f"Punctuation {behavior}", json_only(of_bytes(cut({"type": "Punctuation", "behavior": behavior}, WHOLE)))
    yield "Split inverted", json_only(of_bytes(cut(split("\\s+", "MergedWithPrevious", invert=True), WHOLE)))
    yield "Split by a string", json_only(of_bytes(cut(split(string=".", behavior="MergedWithNext"), WHOLE)))
    yield "Digits alone", json_only(of_bytes(cut({"type": "Digits", "individual_digits": True}, BYTE_LEVEL)))
    yield "Digits together", json_only(of_bytes(cut({"type": "Digits", "individual_digits": False}, WHOLE)))
    for name in ["Whitespace", "WhitespaceSplit", "BertPreTokenizer"]:
        yield name, json_only(of_bytes(cut({"type": name}, WHOLE)))
    yield "ByteLevel with a space in front", json_only(of_bytes(
        BYTE_LEVEL | {"add_prefix_space": True}, added=[token("<mask>")]))
    yield "nested sequences", json_only(of_bytes(cut(
        cut(split("[\\r\\n]"), {"type": "Digits", "individual_digits": True}),
        cut({"type": "Punctuation"}, BYTE_LEVEL))))

    for name, regex in PUBLISHED.items():
        yield f"expression {name}", json_only(of_bytes(cut(split(regex), WHOLE)))
    yield "expressions of deepseek-llm", json_only(of_bytes(cut(*DEEPSEEK_LLM)))
    yield "expressions of deepseek-coder", json_only(of_bytes(cut(*DEEPSEEK_CODER)))
    for regex in ONIGURUMA:
        yield f"expression {regex}", json_only(of_bytes(cut(split(regex), WHOLE)))

    for flags in [{"lstrip": True}, {"rstrip": True}, {"lstrip": True, "rstrip": True, "single_word": True},
                  {"single_word": True, "special": False}, {"normalized": True, "special": False}]:
        yield f"added tokens, {' and '.join(flags)}", json_only(of_bytes(
            added=[token(content, **flags) for content in ["<mask>", "cat"]]))
    yield "added tokens of tokens", json_only(of_bytes(added=[
        token("<mask> y"), token("<mask>"), token("sk>", special=False), token("[PAD][PAD]"),
        token("PAD", special=False)]))
    yield "added tokens behind Metaspace", json_only(of_characters(
        pre_tokenizer=metaspace("first"), added=[token("<mask>", lstrip=True), token("[PAD]", special=False)]))

    begin, end = (1, "<|begin|>"), (2, "<|end|>")
    for name, items in {"begin": [begin, "text"], "end": ["text", end], "both": [begin, "text", end],
                        "two": [begin, end, "text"], "none": ["text"]}.items():
        yield f"template {name}", json_only(of_bytes(post_processor=template(*items)))
    yield "template of RoBERTa", json_only(of_bytes(post_processor={
        "type": "RobertaProcessing", "sep": ["<|end|>", 2], "cls": ["<|begin|>", 1], "trim_offsets": True,
        "add_prefix_space": False}))
    yield "template behind ByteLevel", json_only(of_bytes(
        post_processor={"type": "Sequence", "processors": [BYTE_LEVEL, template(begin, "text")]}))

    yield "no decoder", json_only(of_bytes(decoder=None))
    yield "decoder BPEDecoder", json_only(of_bytes(decoder={"type": "BPEDecoder", "suffix": "Ġ"}))
    yield "decoder Fuse", json_only(of_characters(normalizer=PREPEND, decoder={"type": "Fuse"}))
    yield "decoder without Strip", json_only(of_characters(
        normalizer=PREPEND, decoder={"type": "Sequence", "decoders": LLAMA_DECODER["decoders"][:3]}))
    yield "decoder Metaspace", json_only(of_characters(
        pre_tokenizer=metaspace("always", True), decoder=metaspace("always", True)))

    yield "Llama 2", json_only(of_characters(normalizer=PREPEND))
    yield "Yi", json_only(of_characters(
        normalizer=replace({"String": " "}, "▁"), post_processor=None,
        decoder={"type": "Sequence", "decoders": LLAMA_DECODER["decoders"][:3]}))
    for scheme in ["first", "always", "never"]:
        yield f"Metaspace {scheme}", json_only(of_characters(pre_tokenizer=metaspace(scheme, scheme == "always")))
    yield "unknown characters", json_only(of_characters(normalizer=PREPEND, byte_fallback=False))
    yield "unknown characters apart", json_only(of_characters(normalizer=PREPEND, byte_fallback=False, fuse_unk=False))
    yield "whole words first", json_only(of_bytes(cut(split(PUBLISHED["llama3"]), WHOLE), ignore_merges=True))
    yield "dropout of nothing", json_only(of_bytes(dropout=0.0))
    yield "without the bytes that UTF-8 never has", json_only(
        file("bytes of text", pre_tokenizer=BYTE_LEVEL, decoder=BYTE_LEVEL))

    def pieces(settings=None, **files):
        return {"tokenizer.model": "pieces", "tokenizer_config.json": SETTINGS | (settings or {})} | files

    yield "pieces", pieces()
    yield "pieces, begin and end", pieces({"add_eos_token": True})
    yield "pieces, end only", pieces({"add_bos_token": False, "add_eos_token": True})
    yield "pieces, neither", pieces({"add_bos_token": False})
    yield "pieces, legacy", pieces({"legacy": True, "added_tokens_decoder": decoder_entries(
        ("460", "<|begin|>", {}), ("461", "<mask>", {"lstrip": True}), ("462", "[PAD]", {"special": False}))})
    yield "pieces, not legacy", pieces({"added_tokens_decoder": decoder_entries(
        ("460", "<|begin|>", {}), ("461", "<mask>", {"rstrip": True}),
        ("462", "cat", {"single_word": True, "special": False}))})
    yield "pieces, no space in front", pieces({"add_prefix_space": False})
    yield "pieces, another beginning", pieces({"bos_token": "<|begin|>", "add_eos_token": True, "added_tokens_decoder":
                                               decoder_entries(("460", "<|begin|>", {}))})
    yield "pieces, tokens without ids", pieces({"pad_token": "[PAD]", "additional_special_tokens": ["<mask>"]})
    yield "pieces, added_tokens.json", pieces(**{"added_tokens.json": ADDED})
    yield "pieces, special_tokens_map.json", pieces(**{
        "added_tokens.json": ADDED,
        "special_tokens_map.json": {"bos_token": "<|begin|>", "eos_token": "<|end|>", "pad_token": "[PAD]"}})
    yield "pieces, special tokens are text", pieces({"split_special_tokens": True})

    def under(tokenizer, settings, **files):
        return {"tokenizer.json": tokenizer, "tokenizer_config.json": settings} | files

    yield "Llama 2 under LlamaTokenizer", under(of_characters(normalizer=PREPEND), SETTINGS)
    yield "Llama 2 under LlamaTokenizerFast, legacy", under(
        of_characters(normalizer=PREPEND), SETTINGS | {"tokenizer_class": "LlamaTokenizerFast", "legacy": True})
    yield "Llama 2 under PreTrainedTokenizerFast", under(
        of_characters(normalizer=PREPEND), SETTINGS | {"tokenizer_class": "PreTrainedTokenizerFast"})
    yield "no template and add_bos_token", under(of_characters(normalizer=PREPEND, post_processor=None), SETTINGS)
    yield "template and no add_bos_token", under(of_characters(normalizer=PREPEND), SETTINGS | {"add_bos_token": False})
    yield "SmolLM under GPT2Tokenizer", under(
        of_bytes(cut({"type": "Digits", "individual_digits": True}, BYTE_LEVEL)),
        {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|begin|>", "eos_token": "<|end|>",
         "add_prefix_space": False})
    yield "GPT2Tokenizer with a space in front", under(
        of_bytes(), {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|begin|>", "eos_token": "<|end|>",
                     "unk_token": "<|none|>", "add_prefix_space": True})
    yield "pieces under CodeLlamaTokenizer", {
        "tokenizer.model": "pieces",
        "tokenizer_config.json": {"tokenizer_class": "CodeLlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}}
    yield "Llama 2 under CodeLlamaTokenizer", under(
        of_characters(normalizer=PREPEND), {"tokenizer_class": "CodeLlamaTokenizer", "bos_token": "<s>"})
    yield "both files", under(of_characters(normalizer=PREPEND), SETTINGS, **{"tokenizer.model": "pieces"})


def reference(files):
    """What AutoTokenizer makes of the texts with these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (files | {"config.json": CONFIG}).items():
            if name == "tokenizer.model":
                with open(f"{folder}/{name}", "wb") as target:
                    target.write(PIECES)
                continue
            if name == "tokenizer.json":
                vocabulary = VOCABULARIES[content["model"]["vocab"]]
                content = content | {"model": content["model"] | {
                    "vocab": {t: i for i, t in enumerate(vocabulary["tokens"])}, "merges": vocabulary["merges"]}}
            with open(f"{folder}/{name}", "w", encoding="utf-8") as target:
                json.dump(content, target)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = [tokenizer.encode(text) for text in TEXTS]
        texts = [tokenizer.decode(one, skip_special_tokens=True) for one in ids]
    decoded = {str(i): text for i, text in enumerate(texts) if text != TEXTS[i]}
    return {"ids": ids, "decoded": decoded}


def compact(value):
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def kept(name, make):
    """A file of this folder, which is made first where it is not there."""
    path = f"{FOLDER}/{name}"
    if not os.path.exists(path):
        with open(path, "wb") as target:
            target.write(make())
    with open(path, "rb") as source:
        return source.read()


def vocabularies():
    trained = {"bytes": byte_vocabulary(), "characters": character_vocabulary(), "bytes of text": bytes_of_text()}
    return (compact(trained) + "\n").encode()


if __name__ == "__main__":
    PIECES = kept("pieces.model", piece_model)
    VOCABULARIES = json.loads(kept("vocabularies.json", vocabularies))
    entries = [compact({"name": name, "files": files} | reference(files)) for name, files in cases()]
    lines = ["{\"texts\":" + compact(TEXTS) + ",\"cases\":[", ",\n".join(entries), "]}"]
    with open(f"{FOLDER}/references.json", "w", encoding="utf-8", newline="\n") as target:
        target.write("\n".join(lines) + "\n")
    print(len(entries), "cases", len(TEXTS), "texts")
