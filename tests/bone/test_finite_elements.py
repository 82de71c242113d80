"""Finite elements of bone against closed forms, the half-space, equilibrium, and what inclusions must do."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_knee import make_cycle

from kneeload import Subject
from kneeload.bone.agreement import half_space_stress
from kneeload.bone.finite_elements import (
    BoneField,
    all_bones,
    fields_of,
    finite_element_stress,
    least_principal,
    region_stress,
    solid_volume,
    solve,
)
from kneeload.bone.halfspace import disc_stress
from kneeload.bone.hexahedra import Hexahedra, connected, entry_weights, hexahedra, nodal_forces, stiffness_matrix, strains, stresses
from kneeload.bone.inclusions import Attrition, Cyst, Fill, Lesion, centre_of
from kneeload.bone.material import BoneSolid, homogeneous, shell
from kneeload.contact.cycle import ContactCycle
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.reference import reference_anatomy

pytest.importorskip("skfem")
pytest.importorskip("pyamg")
R = {name: i for i, name in enumerate(MOAKS_REGIONS)}
COARSE = BoneSolid(element_mm=3.0)
rng = np.random.default_rng(5)


def block(shape: tuple[int, int, int], edge: float) -> Hexahedra:
    """A block whose top lies at y = 0, with its middle at x = z = 0."""
    index = np.stack(np.meshgrid(*(np.arange(s) for s in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    return hexahedra(index, edge, 0.5 * edge - edge * np.array([0.5 * shape[0], shape[1], 0.5 * shape[2]]))


def up(count: int) -> np.ndarray:
    return np.tile([0.0, 1.0, 0.0], (count, 1))


def test_patch_any_linear_displacement_is_exact() -> None:
    """Constant strain: no force inside whatever the gradient, and the strain is found exactly."""
    mesh = block((4, 3, 5), 1.7)
    gradient = rng.normal(size=(3, 3))
    moved = (mesh.nodes @ gradient.T)[:, :, None]
    inner = np.all((mesh.nodes > mesh.nodes.min(axis=0) + 0.1) & (mesh.nodes < mesh.nodes.max(axis=0) - 0.1), axis=1)
    force = nodal_forces(mesh, np.full(len(mesh.cells), 900.0), 0.3, moved, np.ones(len(mesh.nodes), bool))
    assert np.abs(force[inner]).max() < 1e-9 * np.abs(force).max()
    wanted = [gradient[0, 0], gradient[1, 1], gradient[2, 2], gradient[0, 1] + gradient[1, 0], gradient[1, 2] + gradient[2, 1], gradient[2, 0] + gradient[0, 2]]
    np.testing.assert_allclose(strains(mesh, moved)[:, :, 0], np.tile(wanted, (len(mesh.cells), 1)), atol=1e-12)


def test_uniform_compression_is_exact() -> None:
    """A column without lateral strain (nu = 0) under uniform pressure: stress q, shortening q L / E, from forces put on by `entry_weights`."""
    mesh = block((4, 6, 4), 2.0)
    x, z = np.meshgrid(np.arange(-3.75, 4.0, 0.5), np.arange(-3.75, 4.0, 0.5))
    points = np.stack([x.ravel(), np.full(x.size, 1.0), z.ravel()], axis=1)
    share = entry_weights(mesh, points, -up(len(points)))
    nodal = np.zeros((len(mesh.nodes), 3, 1))
    nodal[:, 1, 0] = -2.5 * 0.25 * np.asarray(share.sum(axis=1)).ravel()
    held = mesh.nodes[:, 1] < -11.9
    solved, mix = solve(mesh, np.full(96, 800.0), 0.0, nodal, held, 1e-9)
    vertical, principal, pressure, energy = fields_of(mesh, np.full(96, 800.0), 0.0, solved, mix, up(96))
    np.testing.assert_allclose(vertical[0, mesh.index[:, 1] < 5], 2.5, rtol=1e-5)
    np.testing.assert_allclose(principal[0, mesh.index[:, 1] < 5], 2.5, rtol=1e-5)
    np.testing.assert_allclose(pressure[0, mesh.index[:, 1] < 5], 2.5 / 3.0, rtol=1e-5)
    np.testing.assert_allclose(energy[0, mesh.index[:, 1] < 5], 2.5**2 / 1600.0, rtol=1e-5)


def test_displacement_and_stress_converge_with_second_order() -> None:
    """Manufactured solution u = (s, 0, 0), s = sin pi x sin pi y sin pi z in a unit cube held all round; the fitted order is 2."""
    import skfem

    nu, young = 0.3, 1.0
    first, shear = young * nu / ((1 + nu) * (1 - 2 * nu)), 0.5 * young / (1 + nu)
    sizes, errors = (4, 8, 16), []
    for count in sizes:
        mesh = block((count, count, count), 1.0 / count)
        mesh = hexahedra(mesh.index, mesh.edge_mm, np.full(3, 0.5 / count))  # into the unit cube
        basis = skfem.Basis(skfem.MeshHex(np.ascontiguousarray(mesh.nodes.T), np.ascontiguousarray(mesh.cells.T)), skfem.ElementVector(skfem.ElementHex1()), intorder=4)

        @skfem.LinearForm
        def work(v, w):
            sx, sy, sz = (np.sin(np.pi * w.x[k]) for k in range(3))
            cx, cy, cz = (np.cos(np.pi * w.x[k]) for k in range(3))
            square = np.pi**2
            return square * (((first + shear) + 3.0 * shear) * sx * sy * sz * v[0] - (first + shear) * (cx * cy * sz * v[1] + cx * sy * cz * v[2]))

        load = work.assemble(basis)[basis.nodal_dofs.T]
        held = np.any((mesh.nodes < 1e-9) | (mesh.nodes > 1.0 - 1e-9), axis=1)
        modulus = np.full(len(mesh.cells), young)
        solved, mix = solve(mesh, modulus, nu, load[:, :, None], held, 1e-9)
        moved = solved @ mix
        wave = np.prod(np.sin(np.pi * mesh.nodes), axis=1)
        at = mesh.origin_mm + mesh.edge_mm * mesh.index
        slope = np.pi * np.cos(np.pi * at[:, 0]) * np.sin(np.pi * at[:, 1]) * np.sin(np.pi * at[:, 2])
        stress = stresses(strains(mesh, moved), modulus, nu)[:, 0, 0]
        errors.append((np.sqrt(np.mean((moved[:, 0, 0] - wave) ** 2)), np.sqrt(np.mean((stress - (first + 2 * shear) * slope) ** 2))))
    order = np.polyfit(np.log(1.0 / np.array(sizes)), np.log(np.array(errors)), 1)[0]
    assert np.all(order > 1.8) and np.all(order < 2.4)


@pytest.fixture(scope="module")
def pressed() -> tuple[Hexahedra, np.ndarray, np.ndarray, np.ndarray]:
    """Mesh, load and held nodes of a block of 50 x 30 x 50 mm under a disc of 8 mm radius and 4 MPa, and points of the load."""
    mesh, radius = block((20, 12, 20), 2.5), 8.0
    line = np.arange(-radius + 0.2, radius, 0.4)
    x, z = np.meshgrid(line, line)
    inside = x**2 + z**2 < radius**2
    points = np.stack([x[inside], np.full(inside.sum(), 1.5), z[inside]], axis=1)
    force = np.full(len(points), np.pi * radius**2 * 4.0 / len(points))
    nodal = np.zeros((len(mesh.nodes), 3, 1))
    nodal[:, 1, 0] = -(entry_weights(mesh, points, -up(len(points))) @ force)
    return mesh, nodal, mesh.nodes[:, 1] < -29.9, points


def test_a_homogeneous_block_agrees_with_the_half_space(pressed) -> None:
    """Within 10 % below the disc from two edges on, down to half of the height of the block, where its fixed bottom begins to tell."""
    mesh, nodal, held, _ = pressed
    modulus = np.full(len(mesh.cells), 1000.0)
    vertical = fields_of(mesh, modulus, 0.3, *solve(mesh, modulus, 0.3, nodal, held, 1e-6), up(len(modulus)))[0][0]
    at = mesh.origin_mm + mesh.edge_mm * mesh.index
    exact = -disc_stress(np.stack([at[:, 0], at[:, 2], -at[:, 1]], axis=1), np.zeros((1, 2)), np.array([4.0 * np.pi * 64.0]), np.array([8.0]), 0.3)[:, 2]
    chosen = (-at[:, 1] >= 2 * 2.5) & (-at[:, 1] <= 15.0) & (np.hypot(at[:, 0], at[:, 2]) <= 8.0)
    assert chosen.sum() > 100
    np.testing.assert_allclose(vertical[chosen], exact[chosen], rtol=0.10)


def test_a_stiff_part_attracts_stress_and_a_hole_sheds_it_to_its_rim(pressed) -> None:
    mesh, nodal, held, _ = pressed
    at = mesh.origin_mm + mesh.edge_mm * mesh.index
    away = np.linalg.norm(at - [0.0, -10.0, 0.0], axis=1)
    core, rim = away < 4.0, (away > 5.0) & (away < 8.0) & (np.abs(at[:, 1] + 10.0) < 2.6)
    stress = {}
    for name, ratio in (("same", 1.0), ("hole", 1e-3), ("stiff", 10.0)):
        modulus = np.where(away < 5.0, ratio, 1.0) * 1000.0
        stress[name] = fields_of(mesh, modulus, 0.3, *solve(mesh, modulus, 0.3, nodal, held, 1e-5), up(len(modulus)))[0][0]
    assert stress["hole"][core].mean() < 0.05 * stress["same"][core].mean()
    assert stress["hole"][rim].mean() > 1.1 * stress["same"][rim].mean()
    assert stress["stiff"][core].mean() > 1.3 * stress["same"][core].mean()
    assert stress["stiff"][rim].mean() < stress["same"][rim].mean()


def test_loads_keep_force_and_moment() -> None:
    """Oblique lines into a ragged body, some of which miss it."""
    mesh = block((8, 5, 8), 2.0)
    mesh = hexahedra(mesh.index[rng.random(len(mesh.index)) < 0.8], 2.0, mesh.origin_mm)
    points = np.stack([rng.uniform(-9, 9, 200), np.full(200, 4.0), rng.uniform(-9, 9, 200)], axis=1)
    inward = np.array([0.0, -1.0, 0.0]) + 0.3 * rng.normal(size=(200, 3))
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    force = rng.uniform(0.5, 2.0, 200)
    share = entry_weights(mesh, points, inward)
    nodal = np.stack([share @ (inward[:, k] * force) for k in range(3)], axis=1)
    np.testing.assert_allclose(nodal.sum(axis=0), (inward * force[:, None]).sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(np.cross(mesh.nodes, nodal).sum(axis=0), np.cross(points, inward * force[:, None]).sum(axis=0), atol=1e-6)
    met = np.asarray(np.abs(share).sum(axis=0)).ravel() < 1.0 + 1e-9  # no extrapolation: the line enters a cube
    assert 100 < met.sum() < 200


def test_the_least_principal_stress_is_the_least_eigenvalue() -> None:
    stress = rng.normal(size=(50, 6, 4))
    stress[0] = [[-2.0]] * 3 + [[0.0]] * 3
    xx, yy, zz, xy, yz, zx = np.moveaxis(stress, 1, 0)
    full = np.stack([np.stack([xx, xy, zx], -1), np.stack([xy, yy, yz], -1), np.stack([zx, yz, zz], -1)], -2)
    np.testing.assert_allclose(least_principal(stress), np.linalg.eigvalsh(full)[..., 0], atol=1e-7)


def test_the_solver_finds_what_a_direct_one_finds() -> None:
    from scipy.sparse.linalg import spsolve

    mesh = block((7, 6, 5), 2.0)
    modulus = rng.uniform(50.0, 5000.0, len(mesh.cells))
    held = mesh.nodes[:, 1] < -11.9
    nodal = rng.normal(size=(len(mesh.nodes), 3, 7))
    nodal[:, :, 5:] = nodal[:, :, :2] - nodal[:, :, 2:4]
    solved, mix = solve(mesh, modulus, 0.3, nodal, held, 1e-9)
    assert solved.shape[2] == 5  # two loads are sums of others
    direct = spsolve(stiffness_matrix(mesh, modulus, 0.3, ~held).tocsc(), nodal[~held].reshape(-1, 7))
    np.testing.assert_allclose((solved @ mix)[~held].reshape(-1, 7), direct, rtol=1e-4, atol=1e-6 * np.abs(direct).max())


def test_only_the_largest_connected_part_counts() -> None:
    index = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 1, 0], [9, 9, 9]])  # the fourth touches by an edge only
    assert connected(index).tolist() == [True, True, True, False, False]


@pytest.fixture(scope="module")
def knee() -> KneeAnatomy:
    return reference_anatomy(Subject())


@pytest.fixture(scope="module")
def cycle(knee: KneeAnatomy) -> ContactCycle:
    """Bells of pressure that move over the plateaus and the patella, menisci loaded."""
    return make_cycle(knee, frames=9)


@pytest.fixture(scope="module")
def plain(knee: KneeAnatomy, cycle: ContactCycle) -> BoneField:
    return finite_element_stress(knee, cycle, COARSE)


def test_reactions_balance_the_contact_on_every_bone(knee: KneeAnatomy, cycle: ContactCycle) -> None:
    for bone, field in all_bones(knee, cycle, COARSE).items():
        largest = np.abs(field.load_n).max()
        assert largest > 100.0, bone
        np.testing.assert_allclose(field.reaction_n, -field.load_n, atol=2e-3 * largest)


def test_stress_is_as_in_the_half_space_where_geometry_is_alike(knee: KneeAnatomy, cycle: ContactCycle) -> None:
    """Homogeneous tibia under the middle of the plateaus: the regional mean is within 10 %."""
    field = finite_element_stress(knee, cycle, homogeneous(COARSE))
    twin = half_space_stress(knee, cycle, field.volume)
    solid, half = field.by_region(), region_stress(field.volume, twin, twin)
    for name in ("tibia_central_medial", "tibia_central_lateral"):
        assert solid.mean_stress[R[name]] == pytest.approx(half.mean_stress[R[name]], rel=0.10)


def test_frames_are_independent_and_linear(knee: KneeAnatomy, cycle: ContactCycle, plain: BoneField) -> None:
    some = finite_element_stress(knee, cycle, COARSE, frames=[4, 2])
    np.testing.assert_allclose(some.vertical, plain.vertical[[4, 2]], atol=5e-3 * plain.vertical.max())
    assert some.frames.tolist() == [4, 2]


def test_a_stiffer_bone_stores_less_energy_at_the_same_stress(knee: KneeAnatomy, cycle: ContactCycle) -> None:
    soft, hard = (homogeneous(BoneSolid(element_mm=3.0, density_g_cm3=d)) for d in (0.2, 0.3))
    a, b = (finite_element_stress(knee, cycle, m, frames=[4]) for m in (soft, hard))
    np.testing.assert_allclose(b.vertical, a.vertical, atol=5e-3 * a.vertical.max())
    np.testing.assert_allclose(b.energy.sum() / a.energy.sum(), (0.2 / 0.3) ** 1.93, rtol=5e-3)


def test_inclusions_act_at_their_place(knee: KneeAnatomy, cycle: ContactCycle, plain: BoneField) -> None:
    cyst = Cyst(region="tibia_central_medial", radius_mm=5.0, depth_mm=7.0)
    centre = centre_of(knee, cyst)
    away = np.linalg.norm(plain.volume.centres_mm - centre, axis=1)
    core, far = away < 3.0, away > 25.0
    assert core.any()
    shed = finite_element_stress(knee, cycle, COARSE, [cyst])
    filled = finite_element_stress(knee, cycle, COARSE, [Fill(region="tibia_central_medial", radius_mm=5.0, depth_mm=7.0, modulus_mpa=8000.0)])
    assert shed.vertical[4, core].mean() < 0.1 * plain.vertical[4, core].mean()
    assert filled.vertical[4, core].mean() > 1.2 * plain.vertical[4, core].mean()
    np.testing.assert_allclose(shed.vertical[4, far], plain.vertical[4, far], atol=0.05 * plain.vertical[4].max())
    soft = finite_element_stress(knee, cycle, COARSE, [Lesion(region="tibia_central_medial", radius_mm=5.0, depth_mm=7.0, modulus_ratio=0.5)])
    assert soft.modulus_mpa[core] == pytest.approx(0.5 * plain.modulus_mpa[core])
    assert soft.vertical[4, core].mean() < plain.vertical[4, core].mean()


def test_attrition_takes_the_plate_and_raises_stress_below(knee: KneeAnatomy, cycle: ContactCycle, plain: BoneField) -> None:
    worn = finite_element_stress(knee, cycle, COARSE, [Attrition(region="tibia_central_medial", radius_mm=7.0)])
    lost = worn.modulus_mpa < plain.modulus_mpa - 1.0
    assert lost.any() and np.all(plain.volume.depth_mm[lost] < 3.5)
    assert worn.modulus_mpa[lost].min() == pytest.approx(COARSE.trabecular_modulus_mpa, rel=0.01)
    away = np.linalg.norm(plain.volume.centres_mm - plain.volume.centres_mm[lost].mean(axis=0), axis=1)
    below = (away < 8.0) & ~lost & (plain.volume.depth_mm < 9.0)
    assert worn.vertical[4, below].mean() > plain.vertical[4, below].mean()


def test_the_plate_has_its_volume_however_cubes_cut_it(knee: KneeAnatomy) -> None:
    amount = []
    for edge in (2.5, 4.0):
        model = BoneSolid(element_mm=edge, plate_thickness_mm=0.4, cortex_thickness_mm=0.0)
        volume = solid_volume(knee, "tibia", model)
        amount.append(shell(knee, volume, model).plate.sum() * volume.volume_mm3)
    area = sum(float(s.areas.sum()) for s in (knee.tibia_medial, knee.tibia_lateral))
    np.testing.assert_allclose(amount, 0.4 * area, rtol=0.15)
    np.testing.assert_allclose(amount[0], amount[1], rtol=0.05)


def test_density_gives_the_modulus(knee: KneeAnatomy, cycle: ContactCycle) -> None:
    model = BoneSolid(element_mm=4.0, plate_thickness_mm=0.0, cortex_thickness_mm=0.0)
    volume = solid_volume(knee, "tibia", model)
    density = np.where(volume.centres_mm[:, 2] < 0.0, 0.3, 0.2)
    field = finite_element_stress(knee, cycle, model, frames=[4], density_g_cm3=density)
    np.testing.assert_allclose(field.modulus_mpa, 15520.0 * density**1.93)
    for bad in (density[:-1], -density):
        with pytest.raises(InputError, match="density"):
            finite_element_stress(knee, cycle, model, frames=[4], density_g_cm3=bad)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Cyst(region="tibia_middle"), "tibia_middle"),
    (lambda: Cyst(region="tibia_central_medial", radius_mm=0.0), "radius"),
    (lambda: Cyst(region="tibia_central_medial", radius_mm=(1.0, 2.0)), "radius"),  # type: ignore[arg-type]
    (lambda: Cyst(region="tibia_central_medial", modulus_mpa=0.0), "modulus_mpa"),
    (lambda: Fill(region="tibia_central_medial", modulus_mpa=-5.0), "modulus_mpa"),
    (lambda: Lesion(region="tibia_central_medial", modulus_ratio=0.0), "modulus_ratio"),
    (lambda: Lesion(region="tibia_central_medial", modulus_ratio=1.0, depth_mm=-1.0), "depth"),
    (lambda: BoneSolid(element_mm=0.0), "element"),
    (lambda: BoneSolid(poisson_ratio=0.5), "poisson"),
])
def test_bad_settings_are_refused(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_inclusions_outside_the_bone_are_refused(knee: KneeAnatomy, cycle: ContactCycle) -> None:
    for bad in (Cyst(region="femur_central_medial"), Cyst(region="tibia_central_medial", radius_mm=9.0, depth_mm=2.0),
                Cyst(region="tibia_central_medial", mask=np.zeros(3, bool)), Cyst(region="tibia_subspinous")):
        with pytest.raises(InputError):
            finite_element_stress(knee, cycle, COARSE, [bad], frames=[4])
    for frames in ([99], []):
        with pytest.raises(InputError, match="frames"):
            finite_element_stress(knee, cycle, COARSE, frames=frames)
    with pytest.raises(InputError, match="no pressure"):
        finite_element_stress(knee, make_cycle(knee, frames=3, only=()), COARSE)
