"""Changes to a row of the table of variants, as the ablations in papers and tutorials ask."""

from __future__ import annotations

from dataclasses import replace

from alexnet_tf.errors import UserError
from alexnet_tf.variants import INITIALS, Variant

# Krizhevsky 2012 has only the first; the names are Keras's.
ACTIVATIONS = ("relu", "leaky_relu", "prelu", "softplus", "tanh", "sigmoid")


def change(
    row: Variant,
    initial: str | None = None,
    activation: str | None = None,
    lrn: bool | None = None,
    overlap: bool | None = None,
    dropout: float | None = None,
    width: float = 1.0,
) -> Variant:
    """`row` with what is given changed.

    `initial` is one of `INITIALS` and `activation` one of `ACTIVATIONS`; `lrn` says whether conv1
    and conv2 are followed by local response normalization, `overlap` whether pooling windows are
    larger than their stride; `width` multiplies the numbers of filters and units. Raises UserError
    for a width that leaves a layer without any.
    """
    if initial:
        row = replace(row, initial=INITIALS[initial])
    if activation:
        row = replace(row, activation=activation)
    if lrn is not None:
        steps = (_with_norm(s, lrn and place < 2) for place, s in enumerate(row.after_conv))
        row = replace(row, after_conv=tuple(steps))
    if overlap is not None:
        row = replace(row, pool_size=row.pool_stride + overlap)
    if dropout is not None:
        row = replace(row, dropout=dropout)
    if width != 1:
        # Even numbers, for a convolution of two groups halves its inputs and its outputs.
        filters = tuple(2 * round(width * number / 2) for number in row.filters)
        units = tuple(round(width * number) for number in row.fc_units)
        if not all((*filters, *units)):
            raise UserError(f"a width of {width:g} leaves a layer of {row.name} without a filter")
        row = replace(row, filters=filters, fc_units=units)
    return row


def _with_norm(steps: tuple[str, ...], norm: bool) -> tuple[str, ...]:
    """`steps` without "norm", or with it: where it is, or else first."""
    if norm:
        return steps if "norm" in steps else ("norm", *steps)
    return tuple(step for step in steps if step != "norm")
