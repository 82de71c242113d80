"""Two interventions alone and together, at the load level. `python examples/02_brace_and_weight.py`"""

from __future__ import annotations

from kneeload import Case, Subject, compare, interventions, simulate


def main() -> dict[str, dict[str, float]]:
    """Print the change of the peak forces in percent and return it; negative = falls."""
    case = Case(subject=Subject(body_mass_kg=95.0, mpta_deg=85.0), contact=None)  # contact=None: forces only, no stress
    brace = interventions.unloader_brace(case, valgus_deg=6.0, hours_per_day=8.0)
    choices = {"brace": brace, "minus 8 kg": interventions.weight_loss(case, mass_kg=8.0), "both": interventions.weight_loss(brace, mass_kg=8.0)}
    before = simulate(case)
    changes = {}
    for name, choice in choices.items():
        change = compare(before, simulate(choice))
        changes[name] = {part: change[part]["peak_force_pct"] for part in change}
        print(f"{name:12}" + "".join(f"{part}: {value:+6.1f} %   " for part, value in changes[name].items()))
    return changes


if __name__ == "__main__":
    main()
