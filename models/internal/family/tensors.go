package family

import (
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// tensors are a model's files, and what stands in front of the family's own names there: nothing, or any of what the
// libraries add that trained, wrapped or compiled the model, such as transformer., module., _orig_mod.model. or
// base_model.model.
type tensors struct {
	safetensors.Weights
	prefix string
}

// findTensors finds the prefix under which the files hold all anchors; of several the shortest.
func findTensors(files safetensors.Weights, anchors []string) (tensors, error) {
	found := tensors{Weights: files}
	ok := false
	for _, name := range files.Names() {
		prefix, has := strings.CutSuffix(name, anchors[0])
		if !has || prefix != "" && !strings.HasSuffix(prefix, ".") || ok && len(prefix) >= len(found.prefix) {
			continue
		}
		candidate := tensors{files, prefix}
		if candidate.hasAll(anchors[1:]) {
			found, ok = candidate, true
		}
	}
	if !ok {
		return tensors{},
			fmt.Errorf("the weights have no tensors called %s, under whatever prefix: they are not those of a model as "+
				"config.json describes it",
				strings.Join(anchors, " and "))
	}
	return found, nil
}

func (t tensors) hasAll(names []string) bool {
	for _, name := range names {
		if _, ok := t.Info(t.prefix + name); !ok {
			return false
		}
	}
	return true
}

// beside is the full name of a tensor that stands beside the body, under a part of its prefix: lm_head.weight beside
// model.embed_tokens.weight. ok is false where the files have none.
func (t tensors) beside(name string) (full string, ok bool) {
	prefix := t.prefix
	for {
		if _, ok := t.Info(prefix + name); ok {
			return prefix + name, true
		}
		if prefix == "" {
			return name, false
		}
		rest := strings.TrimSuffix(prefix, ".")
		prefix = rest[:strings.LastIndexByte(rest, '.')+1]
	}
}
