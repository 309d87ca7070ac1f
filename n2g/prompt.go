package n2g

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Prompt returns the token ids of text, with BOS in front where the model has one. A text that begins with the text of
// BOS has it dropped, since the model would see it twice (section 10.2). A text that is no valid UTF-8, that is blank,
// or that is longer than the model's context is an error.
func Prompt(model LanguageModel, text string) ([]int, error) {
	return CutPrompt(model, text, math.MaxInt)
}

// CutPrompt is [Prompt] without the tokens after the first maxLength, BOS included.
func CutPrompt(model LanguageModel, text string, maxLength int) ([]int, error) {
	ids, err := cutPrompt(model, text, maxLength)
	return tokensOf(ids), err
}

// noToken stands in front of a prompt where the model has no BOS. Within the package every prompt has a first place
// that holds no text, which counts as context only; models are sent what follows.
const noToken = -1

// tokensOf is what a model is sent of a prompt.
func tokensOf(ids []int) []int {
	if len(ids) > 0 && ids[0] == noToken {
		return ids[1:]
	}
	return ids
}

// cutPrompt is CutPrompt with a first place in any case.
func cutPrompt(model LanguageModel, text string, maxLength int) ([]int, error) {
	ids, err := tokenize(model, text)
	if err != nil {
		return nil, err
	}
	if n := model.ContextLength(); min(len(tokensOf(ids)), maxLength) > n {
		return nil,
			fmt.Errorf("the prompt has %d tokens with BOS, but the context of %s is %d: shorten it, or have it cut with the "+
				"option max_length (-max-length) of %d", len(ids), model.Name(), n, n)
	}
	most := max(maxLength, 0)
	if ids[0] == noToken && most < len(ids) {
		most++
	}
	return ids[:min(len(ids), most)], nil
}

// checkLength refuses a text that the method made if it is longer than the model's context.
func checkLength(model LanguageModel, ids []int) error {
	if n := model.ContextLength(); len(tokensOf(ids)) > n {
		return fmt.Errorf("the text has %d tokens with BOS, but the context of %s is %d: shorten the prompt", len(ids),
			model.Name(), n)
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
	return append([]int{max(model.BOS(), noToken)}, ids...), nil
}

func bosText(model LanguageModel) string { return tokenString(model, max(model.BOS(), noToken)) }

// tokenString is a token's text, empty for the place before the text.
func tokenString(model LanguageModel, id int) string {
	if id == noToken {
		return ""
	}
	return model.TokenString(id)
}

func tokenStrings(model LanguageModel, ids []int) []string {
	tokens := make([]string, len(ids))
	for i, id := range ids {
		tokens[i] = tokenString(model, id)
	}
	return tokens
}
