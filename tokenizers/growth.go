package tokenizers

import "fmt"

// maxGrowth bounds how many times longer the steps of a section may make a text together, so that a hostile file cannot
// ask for more memory than there is by replacing one character by two forty times over. Real files stay below 10.
const maxGrowth = 1 << 10

// maxSteps bounds the steps of a section.
const maxSteps = 256

// growing is a step that may make a text longer.
type growing interface {
	growth() int // times
}

// checkGrowth refuses steps that together exceed the bounds.
func checkGrowth[S any](section string, steps []S) error {
	if len(steps) > maxSteps {
		return fmt.Errorf("%s: %d steps are more than the limit of %d", section, len(steps), maxSteps)
	}
	total := 1
	for _, s := range steps {
		if g, ok := any(s).(growing); ok {
			if total *= g.growth(); total > maxGrowth {
				return fmt.Errorf("%s: its steps may lengthen a text more than %d times", section, maxGrowth)
			}
		}
	}
	return nil
}

// replacer writes content for each match of a pattern.
type replacer struct {
	pattern pattern
	content string
}

func newReplacer(cfg patternConfig, content string) (replacer, error) {
	if len(content) > maxGrowth {
		return replacer{}, fmt.Errorf("a replacement of %d bytes is longer than the limit of %d", len(content), maxGrowth)
	}
	p, err := newPattern(cfg)
	return replacer{p, content}, err
}

func (r replacer) normalize(t text) text { return replace(t, r.pattern, r.content) }

func (r replacer) apply(tokens []string, _ bool) []string {
	return each(tokens, func(t string) string { return replace(text{s: t}, r.pattern, r.content).s })
}

func (r replacer) growth() int {
	shortest := 1
	if l, ok := r.pattern.(literal); ok {
		shortest = max(len(l), 1)
	}
	return max((len(r.content)+shortest-1)/shortest, 1)
}
