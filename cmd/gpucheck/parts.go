package main

import (
	"context"
	"time"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// part is one part of the check, which runs as a process of its own.
type part struct {
	name  string
	limit time.Duration
	run   func(ctx context.Context, s settings, found func(finding) error) error
}

// finding is what a part found out: one line of JSON from its process.
type finding struct {
	Device    string     `json:",omitempty"` // the backend's own words
	Check     *check     `json:",omitempty"`
	Speed     *speed     `json:",omitempty"`
	Memory    *memory    `json:",omitempty"`
	Explained *explained `json:",omitempty"`
}

// backendPart opens the backend and says what it is. Where it fails, there is nothing to check.
const backendPart = "backend"

// parts lists all parts, what matters most first: the time may not suffice for all.
func parts() []part {
	const minute = time.Minute
	list := []part{{backendPart, minute, openBackend}}
	for _, name := range []string{"solu", "gpt2", "gptneo", "pythia"} {
		list = append(list, part{"golden " + name, 2 * minute, checkGolden(name, causalGolden)})
	}
	for _, name := range []string{"distilbert", "bert"} {
		list = append(list, part{"golden " + name, minute, checkGolden(name, maskedGolden)})
	}
	for _, m := range speedModels {
		list = append(list, part{"speed " + m.name, 2 * minute, measureSpeed(m, "")})
	}
	paper := speedModels[0]
	list = append(list, part{"explain " + paper.name, 3 * minute, measureExplain(paper, "")})
	for _, f := range smallFamilies {
		list = append(list, part{"family " + f.name, minute, checkFamily(f)})
	}
	list = append(list, part{"train", 2 * minute, checkTraining})
	for _, m := range speedModels {
		list = append(list, part{"speed " + m.name + " on go", 2 * minute, measureSpeed(m, backends.Go)})
	}
	return append(list, part{"explain " + paper.name + " on go", 3 * minute, measureExplain(paper, backends.Go)})
}

// openBackend tells what the backend is.
func openBackend(_ context.Context, s settings, found func(finding) error) error {
	_, info, err := backends.Open(s.backend)
	if err != nil {
		return err
	}
	return found(finding{Device: info.Description})
}
