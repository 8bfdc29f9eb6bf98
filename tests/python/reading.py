"""Profiles as `tscap dump --json` gives them, with short ways to ask for what tests compare."""
import json
import os
import subprocess
import sys

import timestamp_capture

TSCAP = os.environ["TSCAP"]
FROM_OUTSIDE = timestamp_capture.status()["recorder"] == "compiled"  # can this process be read by tscap?

# gh-140373: closing a generator that is suspended outside of any try fires no event
SILENT_CLOSE = (3, 13) <= sys.version_info < (3, 13, 10) or sys.version_info[:3] == (3, 14, 0)


def tscap(*arguments, check=True, timeout=120):
    """Runs the command; with `check` it must succeed and say nothing on stderr but notes."""
    done = subprocess.run([TSCAP, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False)
    if check:
        assert done.returncode == 0, f"tscap {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr}"
    return done


def dump(pid_or_file, check=True, timeout=120):
    text = tscap("dump", pid_or_file, "--json", check=check, timeout=timeout).stdout
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 5000))  # until 3.11 it holds for the decoder, too: two levels for each of a path
    try:
        return Profile(json.loads(text))
    finally:
        sys.setrecursionlimit(limit)


def nest(nodes):
    """Trees of a list of nodes that have the index of their parent."""
    for node in nodes:
        node["children"] = []
    for node in nodes:
        if node["parent"] is not None:
            nodes[node["parent"]]["children"].append(node)
    return [node for node in nodes if node["parent"] is None]


class Profile:
    def __init__(self, document):
        self.document = document
        self.sites = {site["id"]: site for site in document["sites"]}

    def __getitem__(self, key):
        return self.document[key]

    def site(self, name):
        """The one site of that name."""
        found = [site for site in self.sites.values() if site["name"] == name]
        if len(found) > 1:  # those of other tests in this process were reset
            found = [site for site in found if site["calls"]]
        assert len(found) == 1, f"{len(found)} sites named {name!r} among {[site['name'] for site in self.sites.values()]}"
        return found[0]

    def has(self, name):
        return any(site["name"] == name for site in self.sites.values())

    def calls(self, name):
        """0 where nothing of that name was recorded."""
        return sum(site["calls"] for site in self.sites.values() if site["name"] == name)

    def counts(self, *keys):
        """name -> its calls, or its values of these keys, where there were calls."""
        called = [site for site in self.sites.values() if site["calls"]]
        if not keys:
            sums = {}
            for site in called:
                sums[site["name"]] = sums.get(site["name"], 0) + site["calls"]
            return sums
        assert len({site["name"] for site in called}) == len(called), "two sites of one name"
        return {site["name"]: tuple(site[key] for key in keys) for site in called}

    def pairs(self):
        """(caller's name or None, callee's name) -> (calls, primitive calls)."""
        return {
            (self.name(pair["caller"]), self.name(pair["callee"])): (pair["calls"], pair["primitive_calls"])
            for pair in self["pairs"]
            if pair["calls"]
        }

    def name(self, site):
        return self.sites[site]["name"] if site else None

    def nodes(self):
        """All tree nodes of all threads, as (thread, path of names, node)."""
        for thread in self["threads"]:
            waiting = [((), node) for node in thread["roots"]]
            while waiting:
                above, node = waiting.pop()
                node["children"] += nest(node.pop("deeper", []))
                path = (*above, "(other)" if node.get("other") else self.name(node["site"]))
                yield thread, path, node
                waiting += [(path, child) for child in node["children"]]

    def paths(self):
        """Path of names -> calls, over all threads."""
        found = {}
        for _, path, node in self.nodes():
            found[path] = found.get(path, 0) + node["calls"]
        return {path: calls for path, calls in found.items() if calls}

    def losses(self):
        """{name: count}, less what 3.13.0 cannot know of calls that wait: nothing is lost by that."""
        assert SILENT_CLOSE or not self["losses"]["untold"]
        return {name: count for name, count in self["losses"].items() if count and name != "untold"}

    def check(self):
        """What must hold in every profile: nothing lost, sums equal to the tick."""
        losses = self.losses()
        assert self["complete"] and self["lost"] == 0 and not losses, losses
        self.check_sums()
        return self

    def check_sums(self):
        roots = sum(thread["roots_ticks"] for thread in self["threads"])
        assert sum(site["exclusive_ticks"] for site in self.sites.values()) == roots
        assert sum(node["exclusive_ticks"] for _, _, node in self.nodes()) == roots
        for site in self.sites.values():
            assert 0 <= site["exclusive_ticks"] <= site["inclusive_ticks"], site
            assert site["primitive_calls"] <= site["calls"], site
            assert site["suspended"] <= site["open"], site
            assert self["losses"]["moving"] or site["raised"] + site["open"] <= site["calls"], site
        if not self["losses"]["unpathed"]:
            self.check_tree(roots)

    def check_tree(self, roots):
        """A path that was given up is not below its caller in the tree, so this holds only without."""
        assert sum(node["inclusive_ticks"] for _, path, node in self.nodes() if len(path) == 1) == roots
        for _, path, node in self.nodes():
            assert node["exclusive_ticks"] == node["inclusive_ticks"] - sum(child["inclusive_ticks"] for child in node["children"]), path
            if node["exclusive_cpu_ticks"] is not None:
                assert 0 <= node["exclusive_cpu_ticks"] <= node["exclusive_ticks"], path
