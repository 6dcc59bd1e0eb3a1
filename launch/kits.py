"""The tasks that keep a copy of their own data, and how each is trained and scored."""

from launch import cases, forecasts, headings, pretraining
from launch.own_data import Kit
from reviewintent_jax.configuration import TaskKind

KITS: dict[TaskKind, Kit] = {
    TaskKind.FORECAST: forecasts.KIT,
    TaskKind.HEADING: headings.KIT,
    TaskKind.PRETRAIN: pretraining.KIT,
    TaskKind.MSDP: cases.KIT,
}
