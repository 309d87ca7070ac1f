package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Page is what a page of Neuroscope or Lexoscope tells about a neuron.
type Page struct {
	Model    string // as TransformerLens names it, "" where the page does not say
	Examples n2g.Examples
}

// What the pages of both sites have in common. A browser that saves a page may write quotes and blanks of tags anew.
var (
	pageNeuron  = regexp.MustCompile(`Neuron\s+(\d+)\s+in\s+Layer\s+(\d+)`)
	pageModel   = regexp.MustCompile(`from_pretrained\((?:'|"|&#39;|&quot;)([^'"&)]+)`)
	pageText    = regexp.MustCompile(`<h[23][^>]*>\s*Text #\d+\s*</h[23]>`)
	pageMaximum = regexp.MustCompile(`Max Act:\s*<b>\s*([-+.\deE]+)`)
	// Neuroscope: the arguments of a widget, in a script. Each text has two, one cut to the peak's surroundings.
	pageWidget = regexp.MustCompile(`\{\s*"tokens"\s*:\s*\[`)
	// Lexoscope: a span for each token.
	pageToken = regexp.MustCompile(`<span class=(['"])token['"][^>]*>`)
)

// ReadPage reads a neuron's page of Neuroscope or Lexoscope, saved as HTML. The prompts stand in the page's order; the
// highest activation is the highest it names.
//
// The pages give a text token by token, so that a character of several tokens reads as U+FFFD on them, and so it does
// here. BOS is left in front, as n2g drops it.
func ReadPage(page []byte) (*Page, error) {
	neuron := pageNeuron.FindSubmatch(page)
	if neuron == nil {
		return nil,
			errors.New(
				`corpus: no page of Neuroscope or Lexoscope: it nowhere says "Neuron … in Layer …"; save the page of one neuron as HTML`)
	}
	number, errNumber := strconv.Atoi(string(neuron[1]))
	layer, errLayer := strconv.Atoi(string(neuron[2]))
	if errNumber != nil || errLayer != nil {
		return nil, fmt.Errorf("corpus: the page is about %q, which no model has", neuron[0])
	}
	found := &Page{Examples: n2g.Examples{Site: n2g.Site{Layer: layer, Index: number}}}
	if model := pageModel.FindSubmatch(page); model != nil {
		found.Model = string(model[1])
	}
	starts := pageText.FindAllIndex(page, -1)
	for i, start := range starts {
		end := len(page)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		section := page[start[1]:end]
		text, err := sectionText(section)
		if err != nil {
			return nil, fmt.Errorf("corpus: layer %d neuron %d, text %d of the page: %w", layer, number, i, err)
		}
		maximum := pageMaximum.FindSubmatch(section)
		if maximum == nil {
			return nil,
				fmt.Errorf("corpus: layer %d neuron %d, text %d of the page: it does not give its highest activation (Max Act)",
					layer, number, i)
		}
		activation, err := strconv.ParseFloat(string(maximum[1]), 64)
		if err != nil || math.IsNaN(activation) || math.IsInf(activation, 0) {
			return nil, fmt.Errorf("corpus: layer %d neuron %d, text %d of the page: its highest activation is %q", layer,
				number, i, maximum[1])
		}
		found.Examples.Prompts = append(found.Examples.Prompts, text)
		found.Examples.MaxActivation = max(found.Examples.MaxActivation, activation)
	}
	if len(found.Examples.Prompts) == 0 {
		return nil, fmt.Errorf("corpus: the page of layer %d neuron %d holds no text", layer, number)
	}
	return found, nil
}

// sectionText is the whole text in the section of a page about it.
func sectionText(section []byte) (string, error) {
	text := ""
	for _, at := range pageWidget.FindAllIndex(section, -1) {
		var widget struct {
			Tokens []string `json:"tokens"`
		}
		if err := json.NewDecoder(bytes.NewReader(section[at[0]:])).Decode(&widget); err != nil {
			return "", fmt.Errorf("its tokens cannot be read: %w", err)
		}
		if joined := strings.Join(widget.Tokens, ""); len(joined) > len(text) {
			text = joined
		}
	}
	if text == "" {
		text = spansText(section)
	}
	if text == "" {
		return "", errors.New("it has no tokens; was the page saved without its scripts?")
	}
	return text, nil
}

// spansText joins the tokens of spans. The site writes tokens as they are, "<" and "&" included, and quotes attributes
// singly; a browser that saves the page escapes them, and quotes doubly.
func spansText(section []byte) string {
	var b strings.Builder
	starts := pageToken.FindAllSubmatchIndex(section, -1)
	for i, start := range starts {
		// A token may itself hold what looks like a tag: it ends with the last closing tag before the next token, or
		// with the first one that also ends the text.
		rest := section[start[1]:]
		if i+1 < len(starts) {
			rest = section[start[1]:starts[i+1][0]]
			if end := bytes.LastIndex(rest, []byte("</span>")); end >= 0 {
				rest = rest[:end]
			}
		} else if end := bytes.Index(rest, []byte("</span></div>")); end >= 0 {
			rest = rest[:end]
		} else if end := bytes.Index(rest, []byte("</span>")); end >= 0 {
			rest = rest[:end]
		}
		token := string(rest)
		if section[start[2]] == '"' {
			token = html.UnescapeString(token)
		}
		b.WriteString(token)
	}
	return b.String()
}
