package n2g_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// bare is a model that puts nothing in front of its prompts.
type bare struct {
	*n2gtest.Model
	t *testing.T
}

func (m bare) BOS() int { return -1 }

func (m bare) TokenString(id int) string {
	if id < 0 {
		m.t.Errorf("the text of token %d is asked", id)
	}
	return m.Model.TokenString(id)
}

func (m bare) Activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	for i, ids := range prompts {
		if len(ids) == 0 || slices.Min(ids) < 0 || positions != nil && slices.Min(positions[i]) < 0 {
			m.t.Errorf("prompt %v is sent, of which %v is asked", ids, positions)
		}
	}
	return m.Model.Activations(ctx, layer, hook, index, prompts, positions)
}

// A model without BOS is explained as one with it that does not listen to it; the place of BOS is there, without a
// text.
func TestWithoutBOS(t *testing.T) {
	rule := n2gtest.Rule{Token: " lock", Context: " the", Full: 4, Alone: 1}
	texts := []string{
		"the lock of the door is the lock that I meant.", "open the lock of the lock", "lock", "a key and the lock again",
		"no lock is like the one lock that the smith made", "of all locks the lock on the gate",
	}
	masked := n2gtest.NewMasked("lake", "money", "##s")
	for name, opts := range map[string]n2g.Options{
		"published": {}, "stages": {Stages: true}, "short": {MaxLength: new(5)}, "walkthrough": n2g.Walkthrough(),
	} {
		t.Run(name, func(t *testing.T) {
			examples := n2g.Examples{Prompts: texts}
			explain := func(model n2g.LanguageModel) map[string]any {
				e, err := n2g.Explain(context.Background(), model, masked, examples, opts)
				if err != nil {
					t.Fatal(err)
				}
				e.Work = nil
				text, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				var value map[string]any
				if err := json.Unmarshal(text, &value); err != nil {
					t.Fatal(err)
				}
				return value
			}
			if name == "short" {
				opts.MaxLength = new(6)
			}
			want := explain(n2gtest.NewModel(rule))
			if name == "short" {
				opts.MaxLength = new(5)
			}
			got := explain(bare{n2gtest.NewModel(rule), t})
			delete(want, "options")
			delete(got, "options")
			emptyFirst(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	ids, err := n2g.Prompt(bare{n2gtest.NewModel(rule), t}, "the lock")
	if err != nil || len(ids) != 2 {
		t.Errorf("prompt %v, error %v", ids, err)
	}
	if ids, err = n2g.CutPrompt(bare{n2gtest.NewModel(rule), t}, "open the lock", 2); err != nil || len(ids) != 2 {
		t.Errorf("prompt cut to 2: %v, error %v", ids, err)
	}
}

// emptyFirst takes the text of BOS out of every list of tokens.
func emptyFirst(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if list, ok := inner.([]any); ok && key == "tokens" && len(list) > 0 {
				list[0] = ""
			}
			emptyFirst(inner)
		}
	case []any:
		for _, inner := range v {
			emptyFirst(inner)
		}
	}
}
