#!/usr/bin/env python3
"""Times wisp against llama.cpp on this machine, on random-weight models of a Llama-3.2-1B shape.

The two run in turns, each round in the other order, so that a machine that warms up or is shared slows both alike; what
is reported is the median over the rounds, and the median of the ratios within a round. `bench/peers/README.md` has more.
"""

import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys

import llama_cpp

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "bin"
MODELS = ROOT / "build" / "bench"


def make_model(preset, quant_type):
    path = MODELS / f"{preset}-{quant_type}.gguf"
    if not path.exists():
        MODELS.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        subprocess.run([BIN / "wisp-make-model", partial, "--preset", preset, "--tied", "--type", quant_type], check=True)
        partial.rename(path)
    return path


def output_of(command, options):
    priority = ["chrt", "--fifo", "10"] if options.realtime else []
    done = subprocess.run(priority + [str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def time_llama(tools, model, options):
    rows = output_of([tools / "llama-bench", "-m", model, "-p", options.prefill, "-n", options.decode,
                      "-t", options.threads, "-r", 1, "-o", "json"], options)
    return {("prefill" if row["n_prompt"] else "decode"): row["avg_ts"] for row in rows}


def time_wisp(_tools, model, options):
    result = output_of([BIN / "wisp", "bench", model, "--prefill", options.prefill, "--decode", options.decode,
                        "--threads", options.threads, "--repeat", 1, "--json"], options)
    row = result["results"][0]
    return {"prefill": row["prefill_tokens_per_second"], "decode": row["decode_tokens_per_second"]}


ENGINES = {"wisp": time_wisp, "llama.cpp": time_llama}


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def measure(engines, tools, model, options):
    """{engine: {phase: [tokens per second, one a round]}}"""
    samples = {engine: {"prefill": [], "decode": []} for engine in engines}
    for round_index in range(options.rounds):
        order = list(engines) if round_index % 2 == 0 else list(reversed(engines))
        for engine in order:
            for phase, rate in ENGINES[engine](tools, model, options).items():
                samples[engine][phase].append(rate)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return samples


def summarise(samples):
    """The medians, and where both engines ran the median over the rounds of wisp's rate by llama.cpp's."""
    summary = {engine: {phase: statistics.median(rates) for phase, rates in phases.items()}
               for engine, phases in samples.items()}
    if len(samples) == 2:
        summary["ratio"] = {
            phase: statistics.median(ours / theirs for ours, theirs in zip(samples["wisp"][phase],
                                                                           samples["llama.cpp"][phase]))
            for phase in ("prefill", "decode")}
    return summary


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", default="Q4_0,Q4_K_M,Q8_0", help="quantisations, separated by commas (%(default)s)")
    parser.add_argument("--preset", default="1b", help="shape of the model (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each engine (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--prefill", type=int, default=512, help="prompt tokens (%(default)s)")
    parser.add_argument("--decode", type=int, default=32, help="generated tokens (%(default)s)")
    parser.add_argument("--only", choices=ENGINES, help="time one of the two")
    parser.add_argument("--realtime", action="store_true",
                        help="run both ahead of every other program (as root), for a machine that is shared")
    parser.add_argument("--json", type=pathlib.Path, default=MODELS / "peers.json", help="where the samples go")
    options = parser.parse_args()

    engines = [options.only] if options.only else list(ENGINES)
    tools = llama_cpp.build() if "llama.cpp" in engines else None
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "threads": options.threads,
        "prefill": options.prefill,
        "decode": options.decode,
        "peer": f"llama.cpp of {llama_cpp.PACKAGE} {llama_cpp.VERSION}, without AMX",
        "types": {},
    }
    print(f"{report['cpu']}, {options.threads} threads, {options.rounds} rounds; tokens per second, medians")
    print(f"{'':10}{'':10}" + "".join(f"{name:>12}" for name in engines) + ("       ratio" if len(engines) == 2 else ""))
    for quant_type in options.types.split(","):
        samples = measure(engines, tools, make_model(options.preset, quant_type), options)
        summary = summarise(samples)
        report["types"][quant_type] = {"samples": samples, "median": summary}
        for phase in ("prefill", "decode"):
            row = "".join(f"{summary[engine][phase]:12.1f}" for engine in engines)
            ratio = f"{summary['ratio'][phase]:12.2f}" if "ratio" in summary else ""
            print(f"{quant_type:10}{phase:10}{row}{ratio}", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"every sample: {options.json}")


if __name__ == "__main__":
    main()
