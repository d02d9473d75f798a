# %% [markdown]
# (sec-making)=
# # How an event is made
#
# The paper's top pairs come from MadGraph, Pythia and Delphes {cite}`madgraph,pythia,delphes`. That sample has no archived home, and its chain of programs is hard to install. This book makes its own events
# with packages that `pip` installs: Pythia 8 for everything up to the hadrons, FastJet {cite}`fastjet` for the jets, and between them a calorimeter that follows the formulas of the Delphes card for ATLAS.
# Pythia and FastJet are under the GNU General Public License (`GPL-2.0-or-later`), other than this project. They come with the extra `simulation` only, and nothing else needs them.
#
# This page makes a few events, opens one of them, and counts what survives each step.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle

from gampl import plots
from gampl.files import hdf5
from gampl.particles import delta_r
from gampl.processes import Cuts, TopPair
from gampl.simulation import TopPairRecipe, jets
from gampl.simulation.pythia import EventRecord
from gampl.simulation.shards import generate
from gampl.simulation.top_reconstruction import reconstruct
from gampl_book import ROOT
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.studies import event_file

page = Page("making_events", profile, seed)
recipe = TopPairRecipe()
n_live = page.settings["n_live"]
page.record("n_live", n_live)

# %% [markdown]
# ## From protons to jets
#
# $pp\to t\bar t$ at 13 TeV, each top decaying to three quarks. Pythia draws the hard process at leading order, lets quarks and gluons radiate, and turns them into hadrons.
# Multiple interactions of the two protons are switched off, as they are in the published sample {cite}`lgatr_events`. What does not decay flies on a helix to the calorimeter. Each of its cells, or *towers*, reports the energy
# that arrives, smeared with the cell's resolution, or nothing if that is too little. Jets are made of towers with the anti-$k_T$ algorithm {cite}`antikt` and $R=0.4$; their energies are corrected upwards for what was lost. Then follow
# the cuts
#
# $$p_{T,j} > 22\ \mathrm{GeV} \qquad \Delta R_{jj} > 0.5 \qquad |\eta_j| < 5 \qquad N_b = 2, \tag{38}$$
#
# and finally the question which jet belongs to which top.

# %% tags=["hide-input"]
started = time.process_time()
record = EventRecord(recipe.pythia_settings(), seed=900_000 + seed)
rng = page.rng(1)
batches = [record.batch(recipe.batch) for _ in range(n_live // recipe.batch)]
detected = [recipe.detect(batch, rng) for batch in batches]
rate = n_live / (time.process_time() - started)

final = np.mean([np.count_nonzero(batch.status > 0) for batch in batches]) / recipe.batch
quarks_and_gluons = (
    np.mean([np.isin(np.abs(batch.pdg[batch.status < 0]), (1, 2, 3, 4, 5, 21)).sum() for batch in batches])
    / recipe.batch
)
in_towers = np.mean([len(towers.event) for towers, _ in detected]) / recipe.batch
in_jets = np.mean([jets.count(found).mean() for _, found in detected])
page.record("particles", final)
page.record("towers", in_towers)
page.record("jets", in_jets)

# %% mystnb={"figure": {"name": "fig-chain", "caption": "From protons to a row of a file, with the average numbers in an event of each kind of object."}, "image": {"alt": "A row of five boxes joined by arrows: hard process with two tops, shower and hadrons, calorimeter towers, jets, event."}} tags=["hide-input"]
steps = [
    ("hard process", "Pythia", r"2 tops, 6 quarks"),
    ("shower, hadrons", "Pythia", f"{final:.0f} particles"),
    ("calorimeter", "Delphes card", f"{in_towers:.0f} towers"),
    ("jets", "FastJet", f"{in_jets:.1f} jets"),
    ("event", r"cuts, $b$-tags, $\chi^2$", "6 to 10 jets in order"),
]
figure, ax = plt.subplots(figsize=(9, 1.4))
for k, (name, by, number) in enumerate(steps):
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": plots.MODEL, "linewidth": 1.5}
    ax.text(k, 0.62, f"{name}\n{number}", ha="center", va="center", bbox=box, fontsize=9)
    ax.text(k, 0.06, by, ha="center", va="center", color=plots.STAT, fontsize=9)
    if k:
        ax.annotate("", (k - 0.42, 0.62), (k - 0.58, 0.62), arrowprops={"arrowstyle": "->", "lw": 1.5})
ax.set(xlim=(-0.55, len(steps) - 0.4), ylim=(-0.05, 0.95))
ax.axis("off")
page.figure(figure, "chain", {"step": [step[0] for step in steps], "number": [step[2] for step in steps]})

# %% [markdown]
# ## One event
#
# Below is the first of these events that passes all cuts with no additional jet. Towers are dots, as large as the root of their energy; jets are circles. The names are what the reconstruction makes of it:
# of all ways to give two untagged jets to each $b$-jet, it takes the one with the smallest
#
# $$\chi^2 = \frac{(m_{b_1q_1q_2}-m_{b_2q_3q_4})^2}{2\sigma_t^2} + \frac{(m_{q_1q_2}-m_W)^2+(m_{q_3q_4}-m_W)^2}{\sigma_W^2}, \qquad \sigma_t = 8.8\ \mathrm{GeV}, \quad \sigma_W = 5.4\ \mathrm{GeV}.$$
#
# The paper names a $\chi^2$ algorithm without its formula. This one follows a measurement of ATLAS {cite}`atlas_allhadronic`; the two resolutions are quoted from memory, since its text was not at hand, and are parameters of the recipe.


# %% tags=["hide-input"]
def first_accepted():
    """Towers, jets in order and chi² of the first event with six jets, all apart, and two tags."""
    for batch, (towers, found) in zip(batches, detected, strict=True):
        tagged = jets.b_tags(found, batch, rng)
        good = (jets.count(found) == 6) & (tagged.sum(axis=1) == 2) & Cuts(delta_r_min=recipe.delta_r_min)(found)
        if good.any():
            k = int(np.flatnonzero(good)[0])
            ordered, chi2 = reconstruct(found[[k], :6], tagged[[k], :6])
            mine = towers.event == k
            return towers.energy[mine], towers.eta[mine], towers.phi[mine], ordered[0], float(chi2[0])
    raise ValueError(f"none of {n_live} events passes the cuts")


energy, eta, phi, ordered, chi2 = first_accepted()
process = TopPair()
masses = {name: float(process.observable(name)(ordered[None])[0]) for name in ("m_W1", "m_W2", "m_t1", "m_t2", "m_tt")}

# %% mystnb={"figure": {"name": "fig-event", "caption": "One event in the plane of pseudorapidity and azimuth: towers (dots) and jets (circles, blue for the top with the harder $b$-jet, orange for the other; full for $b$-jets). The azimuth closes on itself: upper and lower edge are the same."}, "image": {"alt": "Scatter of towers with six circles, each around a cluster of large dots, labelled b1, q1, q2, b2, q3 and q4."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 4.9))
ax.scatter(eta, phi, s=4 * np.sqrt(energy), color="0.45", alpha=0.7, lw=0)
for k, (name, (pt, jet_phi, jet_eta, _)) in enumerate(zip(process.particles, ordered, strict=True)):
    color = plots.ESTIMATE if k < 3 else plots.MODEL
    for turn in (-2 * np.pi, 0, 2 * np.pi):
        ax.add_patch(
            Circle(
                (jet_eta, jet_phi + turn),
                0.4,
                fill=name[0] == "b",
                alpha=0.3 if name[0] == "b" else 1,
                ec=color,
                fc=color,
                lw=1.6,
            )
        )
    label = f"{name}, {pt:.0f} GeV"
    if name[0] == "b":
        ax.text(jet_eta - 0.5, jet_phi, label, color=color, fontsize=9, ha="right", va="center")
    else:
        ax.text(jet_eta, jet_phi + 0.5, label, color=color, fontsize=9, ha="center", va="center")
ax.set(xlabel=r"$\eta$", ylabel=r"$\phi$", xlim=(-5, 5), ylim=(-np.pi, np.pi), aspect="equal")
page.figure(figure, "event", {"eta": eta, "phi": phi, "energy": energy})

# %% tags=["hide-input"]
markdown_table(
    ["", *(process.observable(name).label for name in masses), r"$\chi^2$"],
    [["this event, GeV", *(f"{m:.0f}" for m in masses.values()), rounded(chi2, 2)]],
)

# %% [markdown]
# ## What the cuts leave
#
# {ref}`The bundled files <sec-top-events>` were made by the same code. The table compares the few events of this page, detector and cuts included, with the many behind those files.

# %% tags=["hide-input"]
stored = hdf5.read_about(ROOT / event_file("top_pair_0j", profile))
parts = [stored["sources"][0][sample] for sample in ("train", "holdout")]
passed = {step: sum(part["passed"][step] for part in parts) for step in parts[0]["passed"]}
_, live, (cross_section, _) = generate(recipe, 910_000 + seed, n_live)
names = {
    "generated": "generated",
    "6 or more jets": r"$\geq 6$ jets with $p_T>22$ GeV, $\|\eta\|<5$",
    "jets apart": r"$\Delta R_{jj}>0.5$",
    "2 b-tags": "$N_b=2$",
}
names |= {f"extra_jets_{k}": rf"$t\bar t$ + {k} jets" for k in range(5)}
rows = []
for key, text in names.items():
    share, here = passed[key] / passed["generated"], live[key] / n_live
    error = np.sqrt(share * (1 - share) / n_live)
    pull = "" if key == "generated" else f"{(here - share) / error:+.1f}"
    rows.append([text, f"{passed[key]:,}".replace(",", "\u202f"), f"{100 * share:.3g} %", f"{100 * here:.3g} %", pull])
    if key != "generated":
        page.record(f"share_{key.replace(' ', '_')}", 100 * share)
page.record("cross_section", cross_section)
page.record("generated", passed["generated"])
markdown_table(["after", "events", "of those generated", "on this page", "difference, in standard deviations"], rows)

# %% [markdown]
# The cross section of the generated events is {glue:text}`making_events_cross_section` pb, all tops decaying to quarks. The multiplicities can be compared with those of the published sample, 9.8, 7.2, 3.7, 1.5 and 0.48 million events with nought to four additional jets as we found them quoted.
# From one multiplicity to the next they fall by

# %% tags=["nbval-check-output", "hide-input"]
published = np.array([9.8, 7.2, 3.7, 1.5, 0.48])
ours = np.array([passed[f"extra_jets_{k}"] for k in range(5)])
for k in range(4):
    ratio = ours[k + 1] / ours[k]
    error = ratio * np.sqrt(1 / ours[k] + 1 / ours[k + 1])
    page.record(f"ratio_{k + 1}", ratio, [ratio - error, ratio + error], level=0.683)
page.record("ratio_deficit", 100 * (1 - ours[1] / ours[0] / (published[1] / published[0])), digits=2)
print("ratios, ours:     ", "  ".join(f"{x:.2f}" for x in ours[1:] / ours[:-1]))
print("ratios, published:", "  ".join(f"{x:.2f}" for x in published[1:] / published[:-1]))

# %% mystnb={"figure": {"name": "fig-multiplicity", "caption": "Number of additional jets in our production and in the published sample, relative to none. Our statistical errors are smaller than the points."}, "image": {"alt": "Two falling lines of points close to each other, ours a little lower, from 1 to about 0.05 at four jets."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(5.6, 3.2))
ax.plot(range(5), published / published[0], "s--", color=plots.TRUE, mfc="none", label="published")
ax.plot(range(5), ours / ours[0], "o-", ms=4, color=plots.ESTIMATE, label="ours")
ax.set(yscale="log", xlabel="additional jets", ylabel="events, relative to none", xticks=range(5))
ax.legend()
page.figure(figure, "multiplicity", {"jets": range(5), "ours": ours, "published": published * 1e6})

# %% [markdown]
# Our first ratio is {glue:text}`making_events_ratio_1` ({glue:text}`making_events_ratio_1_low` to {glue:text}`making_events_ratio_1_high`), {glue:text}`making_events_ratio_deficit` % below the published one: a shower alone radiates somewhat fewer jets than MadGraph's chain, by more than our errors and for reasons that we have not separated.
#
# One choice matters for that. The Delphes card drops jets below 20 GeV *before* their energy is corrected, and the correction of a soft jet is a factor 1.2: the cut at 22 GeV would not be sharp and jets of 20 to 24 GeV would be missing.
# The recipe keeps jets from 15 GeV on until they are corrected (`raw_pt_min`).
#
# ## Does the detector do what it should?
#
# The energy correction of the card was derived for Delphes' calorimeter. If ours were different, it would not bring jets back to the energies that they have before the detector. To see this, jets are also made of the particles themselves
# (neutrinos and muons left out), and each is compared with the closest jet of towers.

# %% tags=["hide-input"]
true_pt, true_eta, response = [], [], []
for batch, (_, found) in zip(batches, detected, strict=True):
    visible = batch.where((batch.status > 0) & ~np.isin(np.abs(batch.pdg), (12, 13, 14, 16)))
    truth = jets.select(jets.cluster(visible.event, visible.momenta, batch.n_events, recipe.radius, 20.0), 20.0, 4.5)
    # jets of the detector below 22 GeV are not there: what starts close to that cut would be biased
    distance = np.where(found[:, None, :, 0] > 0, delta_r(truth[:, :, None], found[:, None]), np.inf)
    matched = (truth[..., 0] > 0) & (distance.min(axis=2) < 0.2)
    nearest = np.take_along_axis(found[..., 0], distance.argmin(axis=2), axis=1)
    true_pt.append(truth[..., 0][matched])
    true_eta.append(np.abs(truth[..., 2][matched]))
    response.append((nearest / np.where(truth[..., 0] > 0, truth[..., 0], 1))[matched])
true_pt, true_eta, response = map(np.concatenate, (true_pt, true_eta, response))

# %% mystnb={"figure": {"name": "fig-response", "caption": "Transverse momentum of jets after detector and correction over that before, median and the range of 68 % of the jets. Below about 40 GeV the cut at 22 GeV removes the jets that fluctuate downwards."}, "image": {"alt": "Two curves near one against transverse momentum, with error bars that shrink from 15 to 6 percent."}} tags=["hide-input"]
edges = np.array([40, 50, 65, 85, 110, 150, 250])
centres = np.sqrt(edges[1:] * edges[:-1])
figure, ax = plt.subplots(figsize=(7, 3.7))
curves = {"pT": centres}
for (low, high), color in zip(((0.0, 1.5), (1.5, 3.2)), (plots.MODEL, plots.ESTIMATE), strict=True):
    chosen = (true_eta >= low) & (true_eta < high)
    bands = np.array(
        [np.quantile(response[chosen & (true_pt >= a) & (true_pt < b)], (0.16, 0.5, 0.84)) for a, b in pairwise(edges)]
    )
    shift = 1.0 if low == 0 else 1.02
    ax.errorbar(
        centres * shift,
        bands[:, 1],
        [bands[:, 1] - bands[:, 0], bands[:, 2] - bands[:, 1]],
        fmt="o",
        ms=4,
        color=color,
        label=rf"${low:g} \leq |\eta| < {high:g}$",
    )
    curves |= {f"median_{low}": bands[:, 1], f"low_{low}": bands[:, 0], f"high_{low}": bands[:, 2]}
    page.record(f"response_{'central' if low == 0 else 'forward'}", np.median(response[chosen & (true_pt > 40)]))
ax.axhline(1, color=plots.STAT, lw=1)
ax.set(xscale="log", xlabel=r"$p_T$ before the detector [GeV]", ylabel=r"$p_T$ after it / before", ylim=(0.6, 1.4))
ax.set_xticks([40, 60, 100, 200], ["40", "60", "100", "200"])
ax.minorticks_off()
ax.legend()
page.figure(figure, "response", curves)

# %% [markdown]
# The medians are {glue:text}`making_events_response_central` in the centre and {glue:text}`making_events_response_forward` further forward. What the calorimeter leaves out: particles start at the centre of the detector instead of at the vertex where they were born, and photons and leptons are not
# identified, which hardly matters for tops that decay to quarks.
#
# ## At any size
#
# Events come in *shards* of 20 000. Each is made from one seed alone, of Pythia and of the detector; the same seed gives the same bytes. So shards can be made anywhere in any order, an interrupted production goes on where it
# stopped, and training sample and holdout are different seeds.

# %% tags=["nbval-check-output"]
first, _, _ = generate(recipe, seed=7, n_events=200)
again, _, _ = generate(recipe, seed=7, n_events=200)
print(
    "the same seed gives the same events:", np.array_equal(first["extra_jets_0"].momenta, again["extra_jets_0"].momenta)
)

# %% tags=["hide-input"]
print(f"the events of this page, detector and jets included: {rate:.0f} per second on one core")
paper_events = 8.5e6 / (ours[0] / passed["generated"])
page.record("paper_generated", paper_events / 1e8)
page.record("paper_shards", paper_events / 20_000, digits=2)

# %% [markdown]
# ```shell
# gampl events make top_pair --folder shards --seeds 1-74
# gampl events merge --from shards 1-37 38-74 --sample extra_jets_0 --output top_pair_0j.h5
# ```
#
# The paper's 8.5 million events without additional jets need {glue:text}`making_events_paper_generated`$\cdot 10^8$ generated ones, {glue:text}`making_events_paper_shards` shards: independent jobs. `make events SIZE=paper` makes them with
# Snakemake, on one machine or a cluster.
#
# ## Exercises

# %% [markdown]
# :::{exercise}
# :label: ex-making-tags
#
# A $b$-jet of 80 GeV is tagged with the probability that `jets.b_tag_efficiency` gives. Estimate the share of events with exactly two tags among those with two $b$-jets, one charm jet (every second $W$ decays to charm) and three light ones, and compare it with the cut flow. Why is the cut flow's lower? How often is one of the two tags wrong?
# :::

# %% [markdown]
# :::{solution} ex-making-tags
# :class: dropdown
# :::

# %% tags=["hide-input"]
b, c, light = jets.b_tag_efficiency(np.array([5, 4, 1]), np.array([80.0, 40.0, 40.0]))
only_b = b**2 * (1 - c) * (1 - light) ** 3
wrong = 2 * b * (1 - b) * c
print(
    f"efficiency {b:.2f}, charm {c:.2f}, light {light:.4f}: both b-jets in {only_b:.0%}, one and the charm in {wrong:.0%}"
)
print(f"cut flow: {passed['2 b-tags'] / passed['jets apart']:.0%}")

# %% [markdown]
# The efficiency falls at small $p_T$ and vanishes beyond $|\eta|=2.5$, where no flavour is assigned; and often one of the $b$-jets is not among the jets at all, because it is too soft or merged with another.

# %% [markdown]
# :::{exercise}
# :label: ex-making-eta
#
# Make events with `TopPairRecipe(eta_max=2.5)`. How do the shares of the multiplicities change, and what do you conclude about the forward jets?
# :::

# %% [markdown]
# :::{solution} ex-making-eta
# :class: dropdown
# :::

# %% tags=["hide-input"]
_, central, _ = generate(TopPairRecipe(eta_max=2.5), 910_000 + seed, n_live)
for k in range(5):
    print(
        f"{k} additional jets: {central[f'extra_jets_{k}'] / n_live:.2%} instead of {live[f'extra_jets_{k}'] / n_live:.2%}"
    )

# %% [markdown]
# Fewer events have six jets at all, and those with additional jets become much rarer: many of these jets are forward radiation off the initial state. Without additional jets the loss is smaller, but there, too, forward jets replace decay jets that were lost;
# {ref}`the next page <sec-top-events>` shows what that does to $m_{t\bar t}$.
