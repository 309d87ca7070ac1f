"""Times warm notebook cells, each of which explains a neuron of tiny and shows it; after notebooks/run.sh setup:

    /usr/bin/python3 notebooks/latency.py
"""
import os
import pathlib
import statistics
import time

from jupyter_client.manager import start_new_kernel

repository = pathlib.Path(__file__).resolve().parent.parent
os.environ["JUPYTER_PATH"] = f"{repository}/.jupyter"
os.environ["PATH"] = f"{repository}/.bin:{os.environ['PATH']}"
os.chdir(repository / "notebooks")

FIRST = """import "github.com/neuron2graph/neuron2graph/notebooks/lab"
func explain(layer, neuron int) { lab.Show(lab.Open().Explain(layer, neuron)) }"""


def seconds(client, code):
    """Runs a cell; one that fails or shows nothing ends the program."""
    shown = []
    start = time.monotonic()
    reply = client.execute_interactive(code, output_hook=lambda message: shown.append(message["msg_type"]), timeout=120)
    took = time.monotonic() - start
    if reply["content"]["status"] != "ok" or "error" in shown:
        raise SystemExit(f"the cell failed: {code}")
    if "explain(1" in code and "display_data" not in shown:
        raise SystemExit(f"the cell showed nothing: {code}")
    return took


manager, client = start_new_kernel(kernel_name="gonb")
try:
    print(f"first cell {seconds(client, FIRST):.2f} s")
    times = [seconds(client, f"%%\nexplain(1, {neuron})") for neuron in range(170, 180)]
    print(f"10 cells that explain a neuron: median {statistics.median(times):.2f} s, longest {max(times):.2f} s")
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
