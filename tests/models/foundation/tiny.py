# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny randomly initialised checkpoints in the hub's own formats."""

import json
from pathlib import Path

import diffusers
import torch
import transformers
from safetensors.torch import save_file

from models.foundation.checkpoint import quiet_libraries
from models.foundation.lpips import ALEXNET, Tower

SIDE = 32
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "red", "cat", "photo", "of"]
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
VISION = {**TEXT, "image_size": SIDE, "patch_size": 8}


def clip_tokenizer(folder: Path) -> transformers.CLIPTokenizer:
    pieces = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(c + "</w>" for c in LETTERS)]
    (folder / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16
    )


def clip_text(vocabulary: int) -> dict:
    return {
        **TEXT,
        "vocab_size": vocabulary,
        "max_position_embeddings": 16,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }


def unet() -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
    )


def kl() -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(16, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=8,
    )


def save_diffusion(folder: Path) -> None:
    made = unet()
    tokenizer = clip_tokenizer(folder.parent)
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig(**clip_text(len(tokenizer))))
    pipeline = diffusers.StableDiffusionPipeline(
        vae=kl(),
        text_encoder=text,
        tokenizer=tokenizer,
        unet=made,
        scheduler=diffusers.DDIMScheduler(
            clip_sample=False, steps_offset=1, set_alpha_to_one=False
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "sd")
    control = diffusers.ControlNetModel.from_unet(
        made, conditioning_embedding_out_channels=(16, 32, 32, 32)
    )
    # A fresh ControlNet adds exactly nothing: its last convolutions are zero.
    entry = control.controlnet_cond_embedding.conv_out
    for block in (*control.controlnet_down_blocks, control.controlnet_mid_block, entry):
        torch.nn.init.normal_(block.weight, std=0.5)
    control.save_pretrained(folder / "control")
    kl().save_pretrained(folder / "kl")
    diffusers.AutoencoderTiny(
        encoder_block_out_channels=(16, 16, 16, 16),
        decoder_block_out_channels=(16, 16, 16, 16),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    ).save_pretrained(folder / "taesd")


def save_clip(folder: Path) -> None:
    tokenizer = clip_tokenizer(folder.parent)
    clip = transformers.CLIPConfig(
        text_config=clip_text(len(tokenizer)), vision_config=VISION, projection_dim=16
    )
    transformers.CLIPModel(clip).save_pretrained(folder / "clip")
    square = {"height": SIDE, "width": SIDE}
    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square)
    transformers.CLIPProcessor(pictures, tokenizer).save_pretrained(folder / "clip")


def save_readers(folder: Path) -> None:
    (folder.parent / "vocab.txt").write_text("\n".join(WORDS))
    words = transformers.BertTokenizer(str(folder.parent / "vocab.txt"))
    blip = transformers.BlipConfig(
        text_config={
            **TEXT,
            "encoder_hidden_size": 32,
            "vocab_size": len(WORDS),
            "max_position_embeddings": 64,
            "bos_token_id": 5,
            "sep_token_id": 3,
            "eos_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config=VISION,
    )
    square = {"height": SIDE, "width": SIDE}
    transformers.BlipForConditionalGeneration(blip).save_pretrained(folder / "blip")
    transformers.BlipProcessor(
        transformers.BlipImageProcessorPil(size=square), words
    ).save_pretrained(folder / "blip")
    save_clip(folder)
    crop = {"size": {"shortest_edge": SIDE}, "crop_size": square}
    dino = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE, patch_size=8
    )
    transformers.Dinov2Model(dino).save_pretrained(folder / "dino")
    transformers.BitImageProcessorPil(**crop).save_pretrained(folder / "dino")
    bert = transformers.BertConfig(**TEXT, vocab_size=len(WORDS), max_position_embeddings=64)
    transformers.BertModel(bert).save_pretrained(folder / "bert")
    words.save_pretrained(folder / "bert")


def save_lpips(folder: Path) -> None:
    """AlexNet's convolutions as published ones are stored."""
    target = folder / "alexnet"
    target.mkdir()
    config = {"architecture": "alexnet", "num_classes": 1000}
    (target / "config.json").write_text(json.dumps(config))
    state = Tower(ALEXNET).state_dict()
    more = {"classifier.6.bias": torch.zeros(1000)}  # not needed
    save_file({**state, **more}, target / "model.safetensors")


def save_all(folder: Path) -> Path:
    """In ``folder``: sd, control, kl, taesd, blip, clip, dino, bert and alexnet."""
    folder.mkdir()
    with quiet_libraries(), torch.random.fork_rng():
        torch.manual_seed(1)
        save_diffusion(folder)
        save_readers(folder)
        save_lpips(folder)
    return folder
