# SPDX-License-Identifier: MIT
"""One matrix of all that the boots have found: cases by sources of devices.

vm-matrix judges the sources that it was given, boot by boot. What no boot alone can tell is here: an
expected difference that none of them needed, a source or a case that was never tried, two boots
that do not agree.
"""

# In the order of the columns.
SOURCES = {
    "model": "a model in the same process (model:edu)",
    "modeldtb": "a UART of a device tree in the same process (model:pl011)",
    "user": "the first of these, served by another process (user:)",
    "served": "an edu of the kernel's, served by another process",
    "group61": "an edu by its group and type 1, Linux 6.1",
    "nvme61": "an NVMe controller, likewise",
    "slot61": "one of two functions of a slot, likewise",
    "group": "an edu by its group and type 1, Linux 7.3",
    "cdev": "an edu by its own file and an iommufd, Linux 7.3",
    "compat": "an edu by its group, an iommufd plays the container",
    "nvmemodel": "an NVMe controller in the same process (model:nvme)",
    "nvmegroup": "an NVMe controller by its group, Linux 7.3",
    "nvme": "an NVMe controller by its own file, Linux 7.3",
    "slotgroup": "one of two functions of a slot by its group, both of them ours",
    "slot": "the same by its own file",
    "foreign": "the same, while the other function is not ours",
    "noiommu": "an edu by its own file, without an IOMMU",
    "noiommugroup": "an edu by its group, without an IOMMU",
    "platform": "a PL031 clock of a device tree by its group (arm64)",
    "platformdual": "a device with two regions and interrupts, likewise",
    "amba": "a PL061 of a device tree, which is of AMBA, by its group",
    "platformcdev": "a device of one page by its own file",
    "mtty": "the kernel's sample serial card (mtty) by its own file",
    "mttygroup": "the same by its group",
    "mbochs": "the kernel's sample display (mbochs) by its own file",
}
AS_EXPECTED = "."
NONE = "none"
NOTHING = "-"
LEFT_OUT = "-"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def entries(text):
    """The expected differences, as (case, source); each list in a line stands for all in it."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield from ((case, source) for case in words[0].split(",")
                        for source in words[1].split(","))


class Matrix:
    def __init__(self, differences):
        self.entries = list(entries(differences))
        self.expected = {}  # by case, in the order in which they ran
        self.answers = {}   # by case and source
        self.contradictions = []

    def take(self, cell):
        """What a guest reports of one case: its name, source, expected answer and answer."""
        case, source, expected, answer = cell.split()
        known = self.answers.setdefault((case, source), answer)
        if known != answer:
            self.contradictions.append(f"{case} {source}: {known}, and in another boot {answer}")
        if self.expected.setdefault(case, expected) != expected:
            self.contradictions.append(f"{case}: two programs do not expect the same")

    def sources(self):
        return [s for s in SOURCES if any(source == s for _, source in self.answers)]

    def problems(self):
        """What is wrong whatever has run, a sentence each."""
        yield from self.contradictions
        there = {source for _, source in self.answers}
        for source in sorted(there - set(SOURCES)):
            yield f"{source}: no such source is known"
        for case, source in self.entries:
            if source in there and (case, source) not in self.answers:
                yield f"{case} {source}: a difference is expected of a case that there is not"

    def never(self):
        """What is wrong if every boot has run."""
        there = {source for _, source in self.answers}
        for source in SOURCES:
            if source not in there:
                yield f"{source}: was never tried"
        for case, source in self.entries:
            if source not in there:
                yield f"{case} {source}: a difference is expected, and the source was never tried"
        for case in self.expected:
            tried = {answer for (c, _), answer in self.answers.items() if c == case}
            if tried <= {NONE, LEFT_OUT}:
                yield f"{case}: no source has anything to try it on"

    def text(self):
        """Cases as rows, sources as columns, and what all of it means."""
        sources = self.sources()
        letters = {}
        width = max(map(len, self.expected), default=0)
        heading = max(map(len, self.expected.values()), default=0)
        rows = [" ".join([" " * width, " " * heading,
                          *(f"{n:2}" for n in range(1, len(sources) + 1))])]
        for case, expected in self.expected.items():
            cells = (self.cell(case, source, letters) for source in sources)
            rows.append(" ".join([case.ljust(width), shown(expected).ljust(heading),
                                  *(cell.rjust(2) for cell in cells)]).rstrip())
        rows += ["", *(f"{n:2} {source:12} {SOURCES[source]}"
                       for n, source in enumerate(sources, 1)),
                 f" {AS_EXPECTED} as expected   {NOTHING} nothing to try it on   x left out"]
        rows += [f" {letter} {shown(answer)}" for answer, letter in letters.items()]
        return "\n".join(rows)

    def cell(self, case, source, letters):
        answer = self.answers.get((case, source))
        if answer is None:
            return ""
        if answer == self.expected[case]:
            return AS_EXPECTED
        if answer == NONE:
            return NOTHING
        if answer == LEFT_OUT:
            return "x"
        if answer not in letters:
            letters[answer] = LETTERS[len(letters) % len(LETTERS)] + \
                "'" * (len(letters) // len(LETTERS))
        return letters[answer]


def shown(answer):
    return answer.replace("_", " ")
