package tokenizers

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"
)

// output is an encoding on its way out.
type output struct {
	Encoding
	src    string   // the text that offsets refer to
	blanks [][2]int // how many characters at either end of each token are blanks; only if a step asks
}

// postStep is a step of the post-processor.
type postStep interface {
	// apply changes the output; it adds tokens only where special is true.
	apply(out *output, special bool)
}

const postProcessors = "ByteLevel, BertProcessing, RobertaProcessing, TemplateProcessing, Sequence"

// parsePostProcessor returns the steps, none where there is no post-processor.
func parsePostProcessor(data json.RawMessage, depth int) ([]postStep, error) {
	if isNull(data) {
		return nil, nil
	}
	cfg := struct {
		TrimOffsets    *bool             `json:"trim_offsets"`
		AddPrefixSpace *bool             `json:"add_prefix_space"`
		CLS            tokenAndID        `json:"cls"`
		SEP            tokenAndID        `json:"sep"`
		Single         []templatePiece   `json:"single"`
		SpecialTokens  map[string]ids    `json:"special_tokens"`
		Processors     []json.RawMessage `json:"processors"`
	}{}
	kind, err := component("post_processor", data, depth, &cfg)
	if err != nil {
		return nil, err
	}
	var steps []postStep
	trim := func() {
		if or(cfg.TrimOffsets, true) {
			steps = append(steps, trimOffsets{prefixSpace: or(cfg.AddPrefixSpace, true)})
		}
	}
	switch kind {
	case "ByteLevel":
		trim()
	case "RobertaProcessing", "BertProcessing":
		if !cfg.CLS.ok || !cfg.SEP.ok {
			return nil, fmt.Errorf("post_processor %s: cls and sep are not both [token, id]", kind)
		}
		if kind == "RobertaProcessing" {
			trim()
		}
		steps = append(steps, template{{ids: []int{cfg.CLS.id}}, {text: true}, {ids: []int{cfg.SEP.id}}})
	case "TemplateProcessing":
		t := template{}
		for _, p := range cfg.Single {
			switch {
			case p.Sequence != nil:
				t = append(t, templateItem{text: true})
			case p.SpecialToken != nil:
				entry, ok := cfg.SpecialTokens[p.SpecialToken.ID]
				if !ok {
					return nil, fmt.Errorf("post_processor TemplateProcessing: %q is not among its special_tokens", p.SpecialToken.ID)
				}
				for _, id := range entry.IDs {
					if id < 0 || id > math.MaxInt32 {
						return nil, fmt.Errorf("post_processor TemplateProcessing: %q has id %d", p.SpecialToken.ID, id)
					}
				}
				t = append(t, templateItem{ids: entry.IDs})
			default:
				return nil, fmt.Errorf("post_processor TemplateProcessing: a part is neither Sequence nor SpecialToken")
			}
		}
		steps = append(steps, t)
	case "Sequence":
		for _, raw := range cfg.Processors {
			more, err := parsePostProcessor(raw, depth+1)
			if err != nil {
				return nil, err
			}
			steps = append(steps, more...)
		}
	default:
		return nil, unsupported("post_processor", kind, postProcessors)
	}
	return steps, nil
}

// tokenAndID is ["[CLS]", 2].
type tokenAndID struct {
	token string
	id    int
	ok    bool
}

func (t *tokenAndID) UnmarshalJSON(data []byte) error {
	var parts [2]any
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	token, isString := parts[0].(string)
	id, isNumber := parts[1].(float64)
	if !isString || !isNumber || id < 0 || id > math.MaxInt32 || id != float64(int(id)) {
		return fmt.Errorf("%s is not a token and its id", data)
	}
	*t = tokenAndID{token, int(id), true}
	return nil
}

type templatePiece struct {
	Sequence     *struct{ ID string }
	SpecialToken *struct{ ID string }
}

type ids struct {
	IDs []int `json:"ids"`
}

// template is the text with special tokens around it.
type template []templateItem

type templateItem struct {
	text bool
	ids  []int
}

func (t template) apply(out *output, special bool) {
	in := *out
	n := len(in.IDs) + len(t)
	out.IDs, out.Offsets, out.blanks = make([]int, 0, n), make([][2]int, 0, n), nil
	for _, item := range t {
		if item.text {
			out.IDs = append(out.IDs, in.IDs...)
			out.Offsets = append(out.Offsets, in.Offsets...)
			out.blanks = append(out.blanks, in.blanks...)
		} else if special {
			for _, id := range item.ids {
				out.IDs = append(out.IDs, id)
				out.Offsets = append(out.Offsets, [2]int{})
				if in.blanks != nil {
					out.blanks = append(out.blanks, [2]int{})
				}
			}
		}
	}
}

// trimOffsets takes blanks out of offsets. With prefixSpace a lone blank at the start of the text was added and is
// kept.
type trimOffsets struct{ prefixSpace bool }

func (t trimOffsets) apply(out *output, _ bool) {
	for i, blanks := range out.blanks {
		start, end := out.Offsets[i][0], out.Offsets[i][1]
		lead, trail := blanks[0], blanks[1]
		if lead == 1 && t.prefixSpace && (i == 0 || start == 0) {
			lead = 0
		}
		for ; lead > 0 && start < end; lead-- {
			_, n := utf8.DecodeRuneInString(out.src[start:])
			start = min(start+n, end)
		}
		for ; trail > 0 && start < end; trail-- {
			_, n := utf8.DecodeLastRuneInString(out.src[:end])
			end = max(end-n, start)
		}
		out.Offsets[i] = [2]int{start, end}
	}
}
