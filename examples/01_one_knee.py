"""One knee in one activity: what each compartment carries. `python examples/01_one_knee.py`"""

from __future__ import annotations

from kneeload import Activity, Case, Subject, simulate


def main() -> dict[str, dict[str, float]]:
    """Print one line per compartment and return the same numbers."""
    person = Subject(sex="female", height_m=1.65, body_mass_kg=70.0, mpta_deg=85.5)  # varus of the tibia: lower than the usual 87 degrees
    result = simulate(Case(subject=person, activity=Activity(name="walking")))
    summary = result.summary()
    rows = {name: {**summary["loads"][name], **summary["contact"][name]} for name in ("medial", "lateral", "patellofemoral")}
    print(f"{'':16}{'force N':>9}{'force BW':>9}{'peak MPa':>9}{'area mm2':>9}")
    for name, row in rows.items():
        print(f"{name:16}{row['peak_force_n']:9.0f}{row['peak_force_bw']:9.2f}{row['peak_pressure_mpa']:9.2f}{row['contact_area_mm2']:9.0f}")
    print(f"medial share of the impulse: {100.0 * summary['loads']['medial_share_of_impulse']:.0f} %")
    return rows


if __name__ == "__main__":
    main()
