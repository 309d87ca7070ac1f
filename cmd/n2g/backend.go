package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

func (a *app) backend() *command {
	c := newCommand("backend", "tell what models can run on here")
	c.long = `Tries every backend and says which one a model runs on when none is chosen. Nothing is downloaded.
auto is CUDA where a GPU and its plugin are, else go; xla:cpu runs only where it is named.`
	c.commands = []*command{a.backendInstall()}
	c.run = func(context.Context) error {
		for _, name := range backends.Names() {
			_, info, err := backends.Open(name)
			answer := strings.TrimPrefix(info.Line(), "backend ")
			switch {
			case err != nil:
				answer = "not here: " + strings.TrimPrefix(oneLine(err), "open backend "+name+": ")
			case info.Name != backends.Go && name == info.Name:
				answer = info.Description // the plugin, its file and version, and its devices
			}
			fmt.Fprintf(a.text, "%-9s %s\n", name, answer)
		}
		return nil
	}
	return c
}

func (a *app) backendInstall() *command {
	c := newCommand("backend install", "install an XLA plugin from a file, or by download")
	c.operands = "[SOURCE…]"
	c.long = `Installs PJRT plugins, XLA's form of a backend, for the processor or CUDA. A SOURCE is a Python wheel, a library of any name
that exports GetPjrtApi, or a folder of these; no Python is needed, neither now nor later. Wheels and folders may hold NVIDIA's
libraries too, which a CUDA plugin needs. Without a SOURCE, the plugins that fit this machine are downloaded by the installer of
github.com/gomlx/go-xla. Each plugin is tried in a process of its own before it takes its place.
CUDA is chosen by itself from then on; the processor's plugin runs with -backend xla:cpu.`
	c.examples = []string{
		"lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_x86_64.whl",
		"wheels",
		"venv/lib/python3.12/site-packages",
		"",
	}
	c.run = func(ctx context.Context) error {
		installed, err := backends.Install(ctx, c.flags.Args()...)
		if err != nil {
			return err
		}
		for _, p := range installed {
			fmt.Fprintf(a.text, "%s: %s; use it with -backend xla:%s\n", p.Path, p, p.Platform)
		}
		if len(installed) == 0 {
			fmt.Fprintln(a.text, "NVIDIA's libraries are in place; the plugin that needs them is still to be installed.")
		}
		if os.Getenv(backends.PluginPathVar) != "" {
			fmt.Fprintf(a.stderr, "n2g: plugins are looked for in %s only, as %s says: unset it to use what was installed\n",
				os.Getenv(backends.PluginPathVar), backends.PluginPathVar)
		}
		return nil
	}
	return c
}
