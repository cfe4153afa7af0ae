"""Notes below the table of a study: readings, initial weights, subsets, values that the source does not state."""

from collections.abc import Iterable, Mapping

from seg.config.params import Params
from seg.config.readings import readings_of
from seg.config.recipe import Recipe, WeightsFile


def study_notes(params: Params, preset: str, study: str, recipes: Mapping[str, Recipe]) -> dict[str, list[str]]:
    """Notes on all variants of a study, by its name, and on each variant; `recipes` are those of the variants."""
    texts = {variant: _texts(params, preset, study, variant, recipe) for variant, recipe in recipes.items()}
    chosen = {variant: params.not_in_source(study, variant) for variant in recipes}
    shared, shared_keys = _common(texts.values()), _common(chosen.values())
    return {study: [*shared, *_chosen_here(shared_keys)]} | {
        variant: [
            *(text for text in texts[variant] if text not in shared),
            *_chosen_here([key for key in chosen[variant] if key not in shared_keys]),
        ]
        for variant in recipes
    }


def _texts(params: Params, preset: str, study: str, variant: str, recipe: Recipe) -> list[str]:
    own = recipe.weights.file if isinstance(recipe.weights, WeightsFile) else None
    start = f"network starts from {own}" if own else f"backbone starts from {recipe.weights}"
    frozen = f"{', its backbone' if own else ' and'} is not trained" if recipe.frozen else ""
    inference = params.inference(study, variant).model_dump(mode="json", exclude_defaults=True)
    passes = ", ".join(f"{key} {str(value).lower()}" for key, value in inference.items())
    return [
        *(reading.text() for reading in readings_of(params, preset, study, variant)),
        *([f"The {start}{frozen}."] if recipe.weights else []),
        *_subset_note(params, study, variant, recipe.train_images),
        *([f"Evaluated with averages of logits: {passes}."] if passes else []),
    ]


def _subset_note(params: Params, study: str, variant: str, used: int | None) -> list[str]:
    images = params.values(study, variant)["train_images"]
    if used:
        return [f"Trained on a fixed subset of {used} images of the training split, or on all if it has fewer."]
    limiting = ", ".join(name for name, row in params.presets.items() if row.limit_train_images) or "none"
    return [f"Trained on all images; train_images: {images} applies to the presets: {limiting}."] if images else []


def _common(lists: Iterable[list[str]]) -> list[str]:
    """The entries that all lists have, in the order of the first."""
    first, *others = lists
    return [entry for entry in first if all(entry in other for other in others)]


def _chosen_here(keys: list[str]) -> list[str]:
    return [f"Not in the source, chosen here: {', '.join(keys)}."] if keys else []
