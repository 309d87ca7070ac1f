package tokenizers

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// match is a stretch of a text: a match of a pattern (is), or what lies between matches.
type match struct {
	start, end int
	is         bool
}

// pattern cuts a text into its matches and what lies between; together they are the whole text.
type pattern interface{ matches(s string) []match }

// patternConfig is {"String": s}, {"Regex": s}, or a plain string.
type patternConfig struct {
	String *string
	Regex  *string
}

// newPattern chooses the splitter written for a published pattern, else Go's regular expressions.
func newPattern(cfg patternConfig) (pattern, error) {
	if cfg.String != nil {
		return literal(*cfg.String), nil
	}
	if cfg.Regex == nil {
		return nil, fmt.Errorf(`a pattern is neither {"String": …} nor {"Regex": …}`)
	}
	const (
		gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
		fold = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
		rest = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	)
	switch *cfg.Regex {
	case gpt2, `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:
		return splitter(splitGPT2), nil
	case fold + `\p{N}{1,3}` + rest:
		return splitter(func(s string, emit func(i, j int)) { splitLlama3(s, 3, emit) }), nil
	case fold + `\p{N}` + rest:
		return splitter(func(s string, emit func(i, j int)) { splitLlama3(s, 1, emit) }), nil
	}
	re, err := compileUnicode(*cfg.Regex)
	if err != nil {
		return nil, fmt.Errorf("pattern %q is not supported: beside the splitting patterns of GPT-2, Llama 3 and Qwen 2, only what Go's regexp understands is (%w)", *cfg.Regex, err)
	}
	return expression{re}, nil
}

type literal string

func (l literal) matches(s string) []match {
	if l == "" {
		return between(s, nil)
	}
	var found [][]int
	for at := 0; ; {
		i := strings.Index(s[at:], string(l))
		if i < 0 {
			return between(s, found)
		}
		found = append(found, []int{at + i, at + i + len(l)})
		at += i + len(l)
	}
}

type expression struct{ re *regexp.Regexp }

func (e expression) matches(s string) []match { return between(s, e.re.FindAllStringIndex(s, -1)) }

// splitter is a pattern whose matches leave nothing between that is wanted.
type splitter func(s string, emit func(i, j int))

func (f splitter) matches(s string) []match {
	var out []match
	f(s, func(i, j int) { out = append(out, match{i, j, true}) })
	return out
}

// runes is a pattern of single characters.
type runes func(r rune) bool

func (f runes) matches(s string) []match {
	var found [][]int
	for i, r := range s {
		if f(r) {
			found = append(found, []int{i, i + utf8.RuneLen(r)})
		}
	}
	return between(s, found)
}

// between adds what lies between matches.
func between(s string, found [][]int) []match {
	out := make([]match, 0, 2*len(found)+1)
	at := 0
	for _, f := range found {
		if at < f[0] {
			out = append(out, match{at, f[0], false})
		}
		out = append(out, match{f[0], f[1], true})
		at = f[1]
	}
	if at < len(s) {
		out = append(out, match{at, len(s), false})
	}
	return out
}

// Unicode's meaning of the classes that Go's regexp takes for ASCII's, as inside of brackets.
const (
	spaceClass = `\t-\r\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`
	wordClass  = `\p{L}\p{Nl}\p{M}\p{Nd}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}\x{200C}\x{200D}`
)

// compileUnicode compiles a pattern in the syntax of Oniguruma, which the reference library uses, if it means the same
// to Go: \s, \w and \d are Unicode's, ^ and $ match at lines.
func compileUnicode(expr string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("(?m)")
	if strings.Contains(expr, "{,") { // to Go no repetition
		return nil, fmt.Errorf("{,n} is not")
	}
	inside := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		if c == '[' && inside || c == '&' && inside && strings.HasPrefix(expr[i:], "&&") {
			return nil, fmt.Errorf("nested classes are not")
		}
		if !inside && strings.HasPrefix(expr[i:], "(?") && !strings.HasPrefix(expr[i:], "(?:") && !strings.HasPrefix(expr[i:], "(?i:") {
			return nil, fmt.Errorf("group %.4q is not", expr[i:])
		}
		switch {
		case c == '[':
			inside = true
			b.WriteByte(c)
			// A bracket right after the opening one is a character of the class.
			if strings.HasPrefix(expr[i+1:], "^") {
				i++
				b.WriteByte('^')
			}
			if strings.HasPrefix(expr[i+1:], "]") {
				i++
				b.WriteString(`\]`)
			}
			continue
		case c == ']':
			inside = false
		case c == '\\' && i+1 < len(expr):
			i++
			class := ""
			switch expr[i] {
			case 's', 'S':
				class = spaceClass
			case 'w', 'W':
				class = wordClass
			case 'd', 'D':
				class = `\p{Nd}`
			case 'b', 'B', 'h', 'H', 'R', 'X', 'K', 'G', 'Z', 'z', 'A', 'Q', 'E', 'C', 'k', 'g':
				return nil, fmt.Errorf(`\%c is not`, expr[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(expr[i])
				continue
			}
			negated := expr[i] < 'a'
			switch {
			case negated && inside:
				return nil, fmt.Errorf(`\%c in a class is not`, expr[i])
			case negated:
				b.WriteString("[^" + class + "]")
			case inside:
				b.WriteString(class)
			default:
				b.WriteString("[" + class + "]")
			}
			continue
		}
		b.WriteByte(c)
	}
	return regexp.Compile(b.String())
}
