#!/usr/bin/env python3
"""Writes families.json for FamiliesTests: LLaMA checkpoints that people download, with what transformers makes of texts.

Made with what ../../Tokenizers/References/make-references.py says, whose parts and small vocabularies it uses. Run
without arguments.

A family has the configurations of published models, the settings of config.json that matter as they stand there, each
with the published number of parameters; and a tokenizer with the family's pipeline (normalizer, pre-tokenizer,
post-processor, decoder, tokenizer_config.json) over a small vocabulary, whose special tokens have the family's names.
"""

import importlib.util
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location(
    "references", f"{FOLDER}/../../Tokenizers/References/make-references.py")
refs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(refs)

TEXTS = ["", "Anna ran home.", " Anna  ran\n\n  home ", "if (a[0] != 'b') { return -12345; }\n", "naïve café, they'LL say",
         "日本語 テスト、中文。 😀", "</s> <|eot_id|> <|endoftext|>", "1 23 456 7890"]


def config(hidden, intermediate, layers, heads, groups, vocabulary, context, bos, eos, **others):
    settings = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": hidden,
        "intermediate_size": intermediate, "num_hidden_layers": layers, "num_attention_heads": heads,
        "vocab_size": vocabulary, "max_position_embeddings": context, "bos_token_id": bos, "eos_token_id": eos,
        "tie_word_embeddings": False, "rms_norm_eps": 1e-5}
    return settings | ({} if groups is None else {"num_key_value_heads": groups}) | others


def model(name, parameters, *sizes, **others):
    return {"name": name, "parameters": parameters, "config": config(*sizes, **others)}


def llama3_rope(factor):
    return {"factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"}


LINEAR = {"type": "linear", "factor": 4.0}
SMALL, LARGE = (4096, 11008, 32, 32), (5120, 13824, 40, 40)


def llama1():
    yield model("huggyllama/llama-7b", 6738415616, *SMALL, None, 32000, 2048, 1, 2, rms_norm_eps=1e-6)
    yield model("huggyllama/llama-13b", 13015864320, *LARGE, None, 32000, 2048, 1, 2, rms_norm_eps=1e-6)
    yield model("huggyllama/llama-65b", 65285660672, 8192, 22016, 80, 64, None, 32000, 2048, 1, 2)


def llama2():
    yield model("meta-llama/Llama-2-7b-hf", 6738415616, *SMALL, 32, 32000, 4096, 1, 2, rope_scaling=None)
    yield model("meta-llama/Llama-2-13b-hf", 13015864320, *LARGE, 40, 32000, 4096, 1, 2, rope_scaling=None)
    yield model("meta-llama/Llama-2-70b-hf", 68976648192, 8192, 28672, 80, 64, 8, 32000, 4096, 1, 2, rope_scaling=None)


def llama3():
    theta = {"rope_theta": 500000.0}
    small, large, eos = (4096, 14336, 32, 32, 8, 128256), (8192, 28672, 80, 64, 8, 128256), [128001, 128008, 128009]
    yield model("meta-llama/Meta-Llama-3-8B", 8030261248, *small, 8192, 128000, 128001, rope_scaling=None, **theta)
    yield model("meta-llama/Meta-Llama-3-70B", 70553706496, *large, 8192, 128000, 128001, rope_scaling=None, **theta)
    yield model("meta-llama/Llama-3.1-8B", 8030261248, *small, 131072, 128000, 128001, rope_scaling=llama3_rope(8.0), **theta)
    yield model("meta-llama/Llama-3.1-70B-Instruct", 70553706496, *large, 131072, 128000, eos,
                rope_scaling=llama3_rope(8.0), **theta)
    tied = {"tie_word_embeddings": True, "rope_scaling": llama3_rope(32.0), "head_dim": 64} | theta
    yield model("meta-llama/Llama-3.2-1B", 1235814400, 2048, 8192, 16, 32, 8, 128256, 131072, 128000, 128001, **tied)
    yield model("meta-llama/Llama-3.2-3B-Instruct", 3212749824, 3072, 8192, 28, 24, 8, 128256, 131072, 128000, eos,
                **tied | {"head_dim": 128})
    yield model("meta-llama/Llama-3.3-70B-Instruct", 70553706496, *large, 131072, 128000, eos,
                rope_scaling=llama3_rope(8.0), **theta)


def r1_distill():
    yield model("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 8030261248, 4096, 14336, 32, 32, 8, 128256, 131072, 128000, 128001,
                rope_theta=500000.0, rope_scaling=llama3_rope(8.0))


def smollm():
    tied = {"tie_word_embeddings": True, "rope_scaling": None}
    small, middle, large = (576, 1536, 30, 9, 3), (960, 2560, 32, 15, 5), (2048, 8192, 24, 32, 32)
    yield model("HuggingFaceTB/SmolLM-135M", 134515008, *small, 49152, 2048, 0, 0, rope_theta=10000.0, **tied)
    yield model("HuggingFaceTB/SmolLM-360M", 361821120, *middle, 49152, 2048, 0, 0, rope_theta=10000.0, **tied)
    yield model("HuggingFaceTB/SmolLM-1.7B", 1711376384, *large, 49152, 2048, 0, 0, rope_theta=10000.0, **tied)
    yield model("HuggingFaceTB/SmolLM2-135M", 134515008, *small, 49152, 8192, 0, 0, rope_theta=100000, **tied)
    yield model("HuggingFaceTB/SmolLM2-360M", 361821120, *middle, 49152, 8192, 0, 0, rope_theta=100000, **tied)
    yield model("HuggingFaceTB/SmolLM2-1.7B", 1711376384, *large, 49152, 8192, 0, 0, rope_theta=130000, **tied)


def vicuna():
    yield model("lmsys/vicuna-7b-v1.5", 6738415616, *SMALL, 32, 32000, 4096, 1, 2, rope_scaling=None)
    yield model("lmsys/vicuna-7b-v1.5-16k", 6738415616, *SMALL, 32, 32000, 4096, 1, 2, rope_scaling=LINEAR)
    yield model("lmsys/vicuna-13b-v1.5-16k", 13015864320, *LARGE, 40, 32000, 4096, 1, 2, rope_scaling=LINEAR)


def openllama():
    yield model("openlm-research/open_llama_3b_v2", 3426473600, 3200, 8640, 26, 32, None, 32000, 2048, 1, 2,
                rms_norm_eps=1e-6)
    yield model("openlm-research/open_llama_7b_v2", 6738415616, *SMALL, None, 32000, 2048, 1, 2, rms_norm_eps=1e-6)


def yi():
    yield model("01-ai/Yi-6B", 6061035520, 4096, 11008, 32, 32, 4, 64000, 4096, 1, 2, rope_theta=5000000.0)
    yield model("01-ai/Yi-34B", 34388917248, 7168, 20480, 60, 56, 8, 64000, 4096, 1, 2, rope_theta=5000000.0)


def deepseek_coder():
    rope = {"rope_theta": 100000, "rope_scaling": LINEAR, "rms_norm_eps": 1e-6}
    yield model("deepseek-ai/deepseek-coder-1.3b-base", 1346471936, 2048, 5504, 24, 16, 16, 32256, 16384, 32013, 32014, **rope)
    yield model("deepseek-ai/deepseek-coder-6.7b-base", 6740512768, *SMALL, 32, 32256, 16384, 32013, 32014, **rope)
    yield model("deepseek-ai/deepseek-coder-33b-base", 33342991360, 7168, 19200, 62, 56, 8, 32256, 16384, 32013, 32014, **rope)


def deepseek_llm():
    yield model("deepseek-ai/deepseek-llm-7b-base", 6910365696, 4096, 11008, 30, 32, 32, 102400, 4096, 100000, 100001,
                rms_norm_eps=1e-6)


def codellama():
    yield model("codellama/CodeLlama-7b-hf", 6738546688, *SMALL, 32, 32016, 16384, 1, 2, rope_theta=1000000)
    yield model("codellama/CodeLlama-34b-hf", 33743970304, 8192, 22016, 48, 64, 8, 32000, 16384, 1, 2,
                rope_theta=1000000)


def special(content):
    return refs.token(content)


def of_llama(**parts):
    return refs.of_characters(normalizer=refs.PREPEND, **parts)


def of_bytes(begin, end, *steps, begins=True, others=(), **parts):
    """Bytes, with the family's special tokens behind the vocabulary."""
    first = len(refs.VOCABULARIES["bytes"]["tokens"])
    if begins:
        template = refs.template((first, begin), "text")
        parts["post_processor"] = {"type": "Sequence", "processors": [refs.BYTE_LEVEL, template]}
    return refs.of_bytes(refs.cut(*steps), added=[refs.token(one) for one in (begin, end, *others) if one], **parts)


def bare(class_name, begin, end, **others):
    return {"tokenizer_class": class_name, "bos_token": begin, "eos_token": end} | others


DIGITS = {"type": "Digits", "individual_digits": True}
FILE = "read as `tokenizer.json` says, where transformers 5.12 loses spaces"
DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>")


def families():
    def pieces(settings):
        return {"tokenizer.model": "pieces", "tokenizer_config.json": settings}

    def under(tokenizer, settings):
        return {"tokenizer.json": tokenizer, "tokenizer_config.json": settings}

    llama = refs.SETTINGS
    early = {name: value for name, value in llama.items() if name != "legacy"}
    yield "Llama 1", llama1(), under(of_llama(), early) | {"tokenizer.model": "pieces"}, ""
    yield "Llama 2", llama2(), under(of_llama(), llama) | {"tokenizer.model": "pieces"}, ""
    yield "Llama 3, 3.1, 3.2, 3.3", llama3(), under(
        of_bytes("<|begin_of_text|>", "<|end_of_text|>", refs.split(refs.PUBLISHED["llama3"]), refs.WHOLE,
                 others=["<|eot_id|>"], ignore_merges=True),
        bare("PreTrainedTokenizerFast", "<|begin_of_text|>", "<|end_of_text|>")), ""
    yield "TinyLlama", [model("TinyLlama/TinyLlama-1.1B-Chat-v1.0", 1100048384, 2048, 5632, 22, 32, 4, 32000, 2048, 1, 2)], \
        under(of_llama(), llama | {"pad_token": "</s>", "padding_side": "right"}) | {"tokenizer.model": "pieces"}, ""
    yield "SmolLM, SmolLM2", smollm(), under(
        of_bytes("<|endoftext|>", None, DIGITS, refs.BYTE_LEVEL, begins=False),
        bare("GPT2Tokenizer", "<|endoftext|>", "<|endoftext|>", unk_token="<|endoftext|>", add_prefix_space=False)), \
        "words are cut as by GPT2Tokenizer of transformers 5: digits together"
    yield "Vicuna", vicuna(), pieces(llama), "16k: the context is the configuration's 4,096 times the rotary factor"
    yield "OpenLLaMA v2", openllama(), pieces(early), ""
    yield "Yi", yi(), under(
        refs.of_characters(normalizer=refs.replace({"String": " "}, "▁"), post_processor=None, decoder={
            "type": "Sequence", "decoders": refs.LLAMA_DECODER["decoders"][:3]}),
        llama | {"add_bos_token": False, "legacy": True}) | {"tokenizer.model": "pieces"}, ""
    words = [refs.split(refs.PUBLISHED["llama3"]), refs.WHOLE]
    for name, models, steps, note in [
            ("deepseek-coder", deepseek_coder(), refs.DEEPSEEK_CODER,
             f"the context is the configuration's 16,384 times the rotary factor; {FILE}"),
            ("deepseek-llm", deepseek_llm(), refs.DEEPSEEK_LLM, FILE),
            ("DeepSeek-R1-Distill-Llama", r1_distill(), words, FILE)]:
        yield name, models, under(
            of_bytes(*DEEPSEEK, *steps),
            bare("LlamaTokenizerFast", *DEEPSEEK, add_bos_token=True, add_eos_token=False, legacy=True)), note
    yield "CodeLlama", codellama(), under(
        of_llama(), bare("CodeLlamaTokenizer", "<s>", "</s>", unk_token="<unk>")) | {"tokenizer.model": "pieces"}, ""
    yield "Mistral-shaped", [model(
        "a conversion of Mistral-7B-v0.1 to `llama`", 7241732096, 4096, 14336, 32, 32, 8, 32000, 32768, 1, 2)], \
        under(of_llama(), llama | {"legacy": True}) | {"tokenizer.model": "pieces"}, \
        "`model_type` must be `llama`: no sliding window"


def as_the_file_says(files):
    """Files that AutoTokenizer reads by tokenizer.json alone.

    Under LlamaTokenizerFast, transformers 5.12 cuts bytes as if they were characters, and loses all spaces
    (huggingface/transformers 45488); 4.x, with which these models were published, went by the file.
    """
    settings = files["tokenizer_config.json"]
    if settings["tokenizer_class"] != "LlamaTokenizerFast":
        return files
    return files | {"tokenizer_config.json": settings | {"tokenizer_class": "PreTrainedTokenizerFast"}}


def parameters(c):
    """Elements of a LLaMA's weights."""
    hidden, heads = c["hidden_size"], c["num_attention_heads"]
    head = c.get("head_dim", hidden // heads)
    keys = c.get("num_key_value_heads", heads) * head
    layer = 2 * hidden * heads * head + 2 * hidden * keys + 3 * hidden * c["intermediate_size"] + 2 * hidden
    embeddings = c["vocab_size"] * hidden * (1 if c["tie_word_embeddings"] else 2)
    return embeddings + c["num_hidden_layers"] * layer + hidden


if __name__ == "__main__":
    refs.PIECES = refs.kept("pieces.model", refs.piece_model)
    refs.VOCABULARIES = refs.json.loads(refs.kept("vocabularies.json", refs.vocabularies))
    refs.TEXTS = TEXTS
    lines = []
    for name, models, files, note in families():
        models = list(models)
        for one in models:
            if parameters(one["config"]) != one["parameters"]:
                print(one["name"], "published", one["parameters"], "by its configuration", parameters(one["config"]))
        recorded = refs.reference(as_the_file_says(files))
        lines.append(refs.compact({"name": name, "models": models, "files": files, "note": note} | recorded))
    with open(f"{FOLDER}/families.json", "w", encoding="utf-8", newline="\n") as target:
        target.write("{\"texts\":" + refs.compact(TEXTS) + ",\"families\":[\n" + ",\n".join(lines) + "\n]}\n")
