package n2g

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Prompt returns the token ids of text with BOS in front. A text that begins with the text of BOS has it dropped, since
// the model would see it twice (section 10.2). A text that is no valid UTF-8, that is blank, or that is longer than the
// model's context is an error.
func Prompt(model LanguageModel, text string) ([]int, error) {
	return CutPrompt(model, text, math.MaxInt)
}

// CutPrompt is [Prompt] without the tokens after the first maxLength, BOS included.
func CutPrompt(model LanguageModel, text string, maxLength int) ([]int, error) {
	ids, err := tokenize(model, text)
	if err != nil {
		return nil, err
	}
	if n := model.ContextLength(); min(len(ids), maxLength) > n {
		return nil, fmt.Errorf("the prompt has %d tokens with BOS, but the context of %s is %d: shorten it, or have it cut with the option max_length (-max-length) of %d", len(ids), model.Name(), n, n)
	}
	return ids[:min(len(ids), max(maxLength, 0))], nil
}

// checkLength refuses a text that the method made if it is longer than the model's context.
func checkLength(model LanguageModel, ids []int) error {
	if n := model.ContextLength(); len(ids) > n {
		return fmt.Errorf("the text has %d tokens with BOS, but the context of %s is %d: shorten the prompt", len(ids), model.Name(), n)
	}
	return nil
}

// tokenize is Prompt for a text of any length.
func tokenize(model LanguageModel, text string) ([]int, error) {
	switch {
	case !utf8.ValidString(text):
		return nil, errors.New("the prompt is not valid UTF-8: convert it")
	case strings.TrimSpace(strings.TrimPrefix(text, bosText(model))) == "":
		return nil, errors.New("the prompt is blank: give a text with at least one word")
	}
	return encode(model, text)
}

// encode is tokenize for texts that the method made, which may be blank: the rest of a prompt may be a line break.
func encode(model LanguageModel, text string) ([]int, error) {
	rest := strings.TrimPrefix(text, bosText(model))
	if rest == "" {
		rest = text // what is left of a prompt may spell just BOS
	}
	ids, err := model.Tokenize(rest)
	if err != nil {
		return nil, fmt.Errorf("%s cannot tokenize the prompt: %w", model.Name(), err)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s makes no token of the prompt %q: give another text", model.Name(), text)
	}
	return append([]int{model.BOS()}, ids...), nil
}

func bosText(model LanguageModel) string { return model.TokenString(model.BOS()) }

func tokenStrings(model LanguageModel, ids []int) []string {
	tokens := make([]string, len(ids))
	for i, id := range ids {
		tokens[i] = model.TokenString(id)
	}
	return tokens
}
