package process

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Protocol is the version of the protocol that this package speaks.
const Protocol = 1

// The questions.
const (
	hello       = "hello"
	tokenize    = "tokenize"
	decode      = "decode"
	activations = "activations"
)

// question is one line to the process. Which fields it has depends on the method.
type question struct {
	ID       int64  `json:"id"`
	Method   string `json:"method"`
	Protocol int    `json:"protocol,omitempty"` // of hello

	Texts []string `json:"texts,omitempty"` // to tokenize
	IDs   [][]int  `json:"ids,omitempty"`   // to decode
}

// reading is what a question for activations has besides: the site whole, as [n2g.Site.String] has it, and in parts.
type reading struct {
	Site    string  `json:"site"`
	Layer   int     `json:"layer"`
	Hook    string  `json:"hook"`
	Neuron  *int    `json:"neuron"`  // null: all numbers of the hook point
	Prompts [][]int `json:"prompts"` // to run: token ids, BOS included
}

// run is a question for activations.
type run struct {
	question
	reading
}

// answer is one line of the process. Which fields it has depends on the question.
type answer struct {
	ID    *int64  `json:"id"`
	Error *string `json:"error"`

	about

	IDs     [][]int    `json:"ids"`     // to tokenize
	Offsets [][][2]int `json:"offsets"` // to tokenize, where it tells: characters [start, end) of the text

	Texts []string `json:"texts"` // to decode

	Activations []json.RawMessage `json:"activations"` // one a prompt, see floats
}

// about is what a model says of itself in answer to hello.
type about struct {
	Protocol      int    `json:"protocol,omitempty"`
	Name          string `json:"name,omitempty"`
	Fingerprint   string `json:"fingerprint,omitempty"`
	Vocabulary    int    `json:"vocabulary,omitempty"`
	ContextLength int    `json:"context_length,omitempty"`
	BOS           *int   `json:"bos,omitempty"`
	Mask          *int   `json:"mask,omitempty"`
	Batch         int    `json:"batch,omitempty"`
	Sites         []Site `json:"sites,omitempty"`
}

// Site is a hook point of a layer that the process answers for.
type Site struct {
	Layer int `json:"layer"`
	// Hook is as in [n2g.Site]; empty is hook_post.
	Hook string `json:"hook"`
	// Width is how many numbers there are; 0: the process does not tell, so that only single ones can be asked.
	Width int `json:"width,omitempty"`
}

// defaultHook is where a model that names no hook point is read.
const defaultHook = "hook_post"

// Of a model: more layers, and numbers of a hook point, than any has. Sizes computed from them do not overflow.
const (
	mostLayers = 1 << 16
	mostWidth  = 1 << 24
)

// check refuses what no model can be, and fills in defaults.
func (a *about) check() error {
	switch {
	case a.Protocol != Protocol:
		return fmt.Errorf("answers hello with protocol %d: this program speaks protocol %d", a.Protocol, Protocol)
	case a.Name == "":
		return errors.New(`answers hello without "name", which results are kept under`)
	case a.ContextLength < 2:
		return fmt.Errorf(`answers hello with "context_length" %d: it is the most tokens of a prompt, BOS included`,
			a.ContextLength)
	case a.Vocabulary < 0 || a.Vocabulary > math.MaxInt32:
		return fmt.Errorf(`answers hello with "vocabulary" %d: it is the number of token ids, or absent`, a.Vocabulary)
	case a.Batch < 0:
		return fmt.Errorf(`answers hello with "batch" %d: it is the most prompts of a question, or absent`, a.Batch)
	case a.BOS != nil && !a.holds(*a.BOS):
		return fmt.Errorf(`answers hello with "bos" %d: it is a token id, or absent where nothing stands in front of prompts`,
			*a.BOS)
	case a.Mask == nil && a.BOS == nil:
		return errors.New(`answers hello without "mask", the token id that stands in for one whose importance is measured, ` +
			`such as padding`)
	case a.Mask != nil && !a.holds(*a.Mask):
		return fmt.Errorf(`answers hello with "mask" %d: it is a token id`, *a.Mask)
	case len(a.Sites) == 0:
		return errors.New(`answers hello without "sites", the hook points that can be read, such as ` +
			`[{"layer": 0, "hook": "hook_post", "width": 512}]`)
	}
	if a.Batch == 0 {
		a.Batch = defaultBatch
	}
	if a.Mask == nil {
		a.Mask = a.BOS
	}
	for i := range a.Sites {
		s := &a.Sites[i]
		if s.Hook == "" {
			s.Hook = defaultHook
		}
		// What is a site is what can be written and read as one.
		site, err := n2g.ParseSite(n2g.Site{Layer: s.Layer, Hook: s.Hook}.String())
		if err != nil || site.Hook == "" {
			return fmt.Errorf(`answers hello with the site {"layer": %d, "hook": %q}: a hook point is named hook_post, `+
				`hook_resid_post, attn.hook_z, hook_resid_post[sae] or the like`, s.Layer, s.Hook)
		}
		if s.Layer >= mostLayers {
			return fmt.Errorf("answers hello with the layer %d: layers count from 0, and no model has so many", s.Layer)
		}
		if s.Width < 0 || s.Width > mostWidth {
			return fmt.Errorf("answers hello with the width %d of layer %d's %s: it is how many numbers there are, at most %d, "+
				"or absent", s.Width, s.Layer, s.Hook, mostWidth)
		}
	}
	return nil
}

// holds tells whether an id is one of the model's, as far as that is known.
func (a *about) holds(id int) bool {
	return id >= 0 && id <= math.MaxInt32 && (a.Vocabulary == 0 || id < a.Vocabulary)
}

// parseAnswer reads a line. Numbers that JSON does not have, and that Python writes all the same, become null.
func parseAnswer(line []byte) (*answer, error) {
	var a answer
	err := json.Unmarshal(line, &a)
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		if plain := withoutNaN(line); plain != nil {
			a = answer{}
			err = json.Unmarshal(plain, &a)
		}
	}
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return nil, fmt.Errorf("writes a line whose %q is a JSON %s: %s", strings.TrimPrefix(wrong.Field, "about."),
			wrong.Value, excerpt(line))
	case err != nil:
		return nil, fmt.Errorf("writes a line to standard output that is no JSON object: %s; what is no answer belongs on "+
			"standard error", excerpt(line))
	}
	return &a, nil
}

// excerpt is the beginning of a line, quoted.
func excerpt(line []byte) string {
	const most = 80
	text := []rune(string(bytes.TrimSpace(line[:min(len(line), 4*most)])))
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "…"
	}
	return strconv.Quote(string(text))
}

// withoutNaN is a line with null for NaN, Infinity and -Infinity outside strings; nil where there are none.
func withoutNaN(line []byte) []byte {
	var out []byte
	kept, quoted := 0, false // line[:kept] is in out
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == 'N' || c == 'I' || c == '-'):
			for _, name := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(line[i:], []byte(name)) {
					out = append(append(out, line[kept:i]...), "null"...)
					kept = i + len(name)
					i = kept - 1
					break
				}
			}
		}
	}
	if kept == 0 {
		return nil
	}
	return append(out, line[kept:]...)
}

// floats reads the activations of a prompt, [seq] of one number or [seq][width] of all, as one row after the other:
// JSON lists, or a string that is the base64 form of little-endian float32. null is NaN. raw is valid JSON.
func floats(raw json.RawMessage, seq, width int) ([]float32, error) {
	asked := fmt.Sprintf("%d tokens", seq)
	if width > 1 {
		asked += fmt.Sprintf(" of %d numbers", width)
	}
	if len(raw) > 0 && raw[0] == '"' {
		var data []byte
		if err := json.Unmarshal(raw, &data); err != nil {
			return nil, fmt.Errorf("a string that is no base64: %s", excerpt(raw))
		}
		if len(data) != 4*seq*width {
			return nil, fmt.Errorf("%d bytes of float32, where %s take %d", len(data), asked, 4*seq*width)
		}
		values := make([]float32, seq*width)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		return values, nil
	}
	values, rows, err := numbers(raw)
	switch {
	case err != nil:
		return nil, err
	case rows == nil && width > 1:
		return nil, fmt.Errorf("a list of %d numbers, where a list for each of %s is asked", len(values), asked)
	case rows == nil && len(values) != seq:
		return nil, fmt.Errorf("%d numbers, where %s are asked", len(values), asked)
	case rows != nil && len(rows) != seq:
		return nil, fmt.Errorf("%d lists, where %s are asked", len(rows), asked)
	}
	for _, n := range rows {
		if n != width {
			return nil, fmt.Errorf("a list of %d numbers, where %s are asked", n, asked)
		}
	}
	return values, nil
}

// numbers reads a list of numbers, or of lists of numbers: then rows are their lengths.
func numbers(raw json.RawMessage) (values []float32, rows []int, err error) {
	depth := 0
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '[' && depth == 0:
			depth++
		case c == '[' && depth == 1 && (rows != nil || len(values) == 0):
			depth++
			rows = append(rows, -len(values))
		case c == ']':
			if depth == 2 {
				rows[len(rows)-1] += len(values)
			}
			depth--
		case c == ',', c == ' ', c == '\t', c == '\n', c == '\r':
		case depth == 0 || depth == 1 && rows != nil || !bytes.ContainsRune([]byte("-0123456789n"), rune(c)):
			return nil, nil, fmt.Errorf("%s, where a list of numbers is asked", excerpt(raw[i:]))
		case c == 'n':
			values = append(values, float32(math.NaN()))
			i += len("null")
			continue
		default:
			end := i
			for end < len(raw) && bytes.IndexByte([]byte("+-.eE0123456789"), raw[end]) >= 0 {
				end++
			}
			v, err := strconv.ParseFloat(string(raw[i:end]), 32)
			if err != nil && !errors.Is(err, strconv.ErrRange) { // which is an infinity
				return nil, nil, fmt.Errorf("%s, where a list of numbers is asked", excerpt(raw[i:]))
			}
			values = append(values, float32(v))
			i = end
			continue
		}
		i++
	}
	return values, rows, nil
}
