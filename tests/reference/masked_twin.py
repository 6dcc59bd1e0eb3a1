"""What PyTorch's transformers say of a small random XLM-R that guesses hidden tokens.

Needs torch and transformers. The tokenizer is a Unigram one with XLM-R's special
tokens; it is part of the golden file, because learning it again gives another one.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file
from tokenizers import Tokenizer

TEXTS = (
    "Чудовий магазин, раджу! Об'єктив прийшов за 2 дні 👍",
    "Жахливе обслуговування. Не рекомендую...",
    "супер",
    "Очень плохо, товар п'ять разів не працював",
    "Ok",
)
_TIED = {"lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight"}
SIZES = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 66,  # 64 tokens: rows 0 and 1 are never read
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


def random_model(vocab_size: int) -> transformers.PreTrainedModel:
    """Weights large enough that every wrong wire shows."""
    torch.manual_seed(5)
    config = transformers.XLMRobertaConfig(vocab_size=vocab_size, **SIZES)
    model = transformers.XLMRobertaForMaskedLM._from_config(
        config, attn_implementation="eager"
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            one = "LayerNorm.weight" in name or "layer_norm.weight" in name
            weight.copy_(float(one) + 0.3 * torch.randn_like(weight))
    return model.eval()


def masked_model(tokenizer_json: str) -> dict[str, np.ndarray]:
    """Everything the parity test compares."""
    backend = Tokenizer.from_str(tokenizer_json)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>"},
        **{"sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
        mask_token="<mask>",
    )
    model = random_model(len(tokenizer))
    inputs = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    hidden = model.roberta(input_ids=ids, attention_mask=mask).last_hidden_state
    # Every third token but the frame is asked for; those become the mask.
    place = torch.arange(ids.shape[1])[None]
    framed = (ids == 0) | (ids == 2) | (ids == 1)
    asked = (place % 3 == 1) & ~framed
    hidden_ids = torch.where(asked, tokenizer.mask_token_id, ids)
    labels = torch.where(asked, ids, -100)
    model.zero_grad()
    output = model(input_ids=hidden_ids, attention_mask=mask, labels=labels)
    output.loss.backward()
    arrays = {f"grad/{_TIED.get(n, n)}": w.grad for n, w in model.named_parameters()}
    arrays |= {"input_ids": ids, "attention_mask": mask, "hidden": hidden}
    arrays |= {"masked_ids": hidden_ids, "asked": asked, "logits": output.logits}
    arrays["loss"] = output.loss
    result = {name: a.detach().numpy().copy() for name, a in arrays.items()}
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    result["config"] = np.array(json.dumps(config))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)  # the names and tensors that a folder has
        saved = load_file(Path(folder) / "model.safetensors")
    result |= {f"weight/{name}": array for name, array in saved.items()}
    result["tokenizer"] = np.array(tokenizer_json)
    return result
