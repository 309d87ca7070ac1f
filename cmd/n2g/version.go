package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// release is what this source is, or will be.
const release = "v0.1.0"

// versionText is the module's version, or the release to come with the commit it was built from.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown version"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	if version != "(devel)" {
		return version
	}
	commit, dirty := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			commit = " " + setting.Value[:min(12, len(setting.Value))]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = " with changes"
		}
	}
	return release + " " + version + commit + dirty
}

func (a *app) version() *command {
	c := newCommand("version", "print the version, how the program was built, and what models run on")
	backend := backendFlag(c)
	c.run = func(context.Context) error {
		fmt.Fprintf(a.text, "n2g %s\n%s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		_, info, err := backends.Open(*backend)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.text, info.Line())
		return nil
	}
	return c
}

// start writes the line that every command which runs a model begins with.
func (a *app) start(info backends.Info) {
	fmt.Fprintf(a.stderr, "n2g %s; %s\n", versionText(), info.Line())
}

// backendFlag defines -backend.
func backendFlag(c *command) *string {
	return c.flags.String("backend", "", "`NAME` what the model runs on: "+strings.Join(backends.Names(), ", ")+
		" (default $"+backends.EnvVar+", else auto)")
}
