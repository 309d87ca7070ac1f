package tokenizers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a part of a regular expression.
type node struct {
	kind     nodeKind
	set      runeSet // of oneRune, ahead and behind
	negated  bool    // of ahead and behind
	children []*node
	min, max int // of repeat; max -1: any number
	lazy     bool
}

type nodeKind uint8

const (
	oneRune nodeKind = iota // a character of the set
	ahead                   // the next character is of the set; negated: there is none, or another
	behind                  // the same of the character before
	sequence
	choice // the first child that leads to a match
	repeat // of the only child
)

// maxRegex bounds an expression: bytes, and how deep its groups nest.
const (
	maxRegexBytes = 1 << 12
	maxRegexDepth = 50
	maxRepeat     = 1 << 10
)

// regexParser reads the syntax that Oniguruma has for Ruby, as far as what it says can be decided with one character of
// context on either side: that is all published splitting patterns.
type regexParser struct {
	rest  string
	fold  bool // without regard to case
	depth int
	last  rune // literal read last, for fold
}

func parseRegex(expr string) (*node, error) {
	if len(expr) > maxRegexBytes {
		return nil, fmt.Errorf("%d bytes are more than the limit of %d", len(expr), maxRegexBytes)
	}
	if !utf8.ValidString(expr) {
		return nil, errors.New("it is not valid UTF-8")
	}
	p := &regexParser{rest: expr}
	n, err := p.choice()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%.10q closes nothing", p.rest)
	}
	return n, err
}

func (p *regexParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// next takes a character off.
func (p *regexParser) next() (rune, error) {
	r, n := utf8.DecodeRuneInString(p.rest)
	if n == 0 {
		return 0, errors.New("it ends too early")
	}
	p.rest = p.rest[n:]
	return r, nil
}

// choice is alternatives, up to the end or a closing parenthesis.
func (p *regexParser) choice() (*node, error) {
	if p.depth++; p.depth > maxRegexDepth {
		return nil, fmt.Errorf("groups nest deeper than %d", maxRegexDepth)
	}
	defer func() { p.depth-- }()
	n := &node{kind: choice}
	for {
		s, err := p.sequence()
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, s)
		if !p.take("|") {
			break
		}
	}
	if len(n.children) == 1 {
		return n.children[0], nil
	}
	return n, nil
}

func (p *regexParser) sequence() (*node, error) {
	n := &node{kind: sequence}
	p.last = 0
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		atom, err := p.atom()
		if err != nil {
			return nil, err
		}
		if atom, err = p.quantified(atom); err != nil {
			return nil, err
		}
		n.children = append(n.children, atom)
	}
	return n, nil
}

// quantified reads what may stand behind an atom.
func (p *regexParser) quantified(atom *node) (*node, error) {
	for {
		n := &node{kind: repeat, children: []*node{atom}, max: -1}
		counted := false
		switch {
		case p.take("*"):
		case p.take("+"):
			n.min = 1
		case p.take("?"):
			n.max = 1
		case strings.HasPrefix(p.rest, "{"):
			var ok bool
			if n.min, n.max, ok = p.counts(); !ok {
				return nil, fmt.Errorf("%.10q is no number of repetitions that is supported", p.rest)
			}
			counted = true
		default:
			return atom, nil
		}
		if atom.kind == ahead || atom.kind == behind {
			return nil, errors.New("a repeated condition is not supported")
		}
		p.last = 0
		switch {
		case strings.HasPrefix(p.rest, "?") && counted && n.min == n.max, strings.HasPrefix(p.rest, "+") && counted:
			return nil, fmt.Errorf("%.1q behind a number of repetitions is not supported", p.rest)
		case p.take("?"):
			n.lazy = true
		case p.take("+"):
			// Possessive: what is taken is not given back. Of single characters that is to say that no further one follows.
			if atom.kind != oneRune {
				return nil, errors.New("possessive repetitions of more than a character are not supported")
			}
			no := &node{kind: ahead, set: atom.set, negated: true}
			if n.max == 1 {
				n = &node{kind: choice, children: []*node{atom, no}}
			} else {
				n = &node{kind: sequence, children: []*node{n, no}}
			}
		}
		atom = n
	}
}

// counts reads {n}, {n,}, {n,m} and {,m}.
func (p *regexParser) counts() (least, most int, ok bool) {
	inside, rest, closed := strings.Cut(p.rest[1:], "}")
	if !closed {
		return 0, 0, false
	}
	first, second, ranged := strings.Cut(inside, ",")
	number := func(text string, otherwise int) int {
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n > maxRepeat {
			ok = false
		}
		return int(n)
	}
	ok = first != "" || second != ""
	least = number(first, 0)
	most = least
	if ranged {
		most = number(second, -1)
	}
	if most >= 0 && least > most {
		ok = false
	}
	p.rest = rest
	return least, most, ok
}

// atom is a character, a class, a group or a condition.
func (p *regexParser) atom() (*node, error) {
	r, err := p.next()
	if err != nil {
		return nil, err
	}
	if r != '(' {
		defer func() { p.last = r }()
	}
	switch r {
	case '(':
		return p.group()
	case '[':
		set, err := p.class()
		if err != nil {
			return nil, err
		}
		r = 0
		return p.one(set)
	case '.':
		return &node{kind: oneRune, set: setOf('\n').not()}, nil
	case '^': // at the start of a line
		return &node{kind: behind, set: setOf('\n').not(), negated: true}, nil
	case '$':
		return &node{kind: ahead, set: setOf('\n').not(), negated: true}, nil
	case '*', '+', '?', '{':
		return nil, fmt.Errorf("%q repeats nothing", r)
	case '\\':
		return p.escapedAtom(&r)
	}
	return p.letter(r)
}

// letter is a literal character.
func (p *regexParser) letter(r rune) (*node, error) {
	if p.fold {
		// Without regard to case Oniguruma also lets pairs stand for ligatures and ß.
		for _, pair := range []string{"ss", "st", "ff", "fi", "fl"} {
			if strings.EqualFold(string([]rune{p.last, r}), pair) {
				return nil, fmt.Errorf("%q without regard to case is not supported", pair)
			}
		}
	}
	return p.one(setOf(r))
}

func (p *regexParser) one(set runeSet) (*node, error) {
	var err error
	if p.fold {
		set, err = set.folded()
	}
	return &node{kind: oneRune, set: set}, err
}

// group is what follows an opening parenthesis.
func (p *regexParser) group() (*node, error) {
	fold := p.fold
	defer func() { p.fold = fold }()
	condition := false
	n := &node{}
	switch {
	case p.take("?:"):
	case p.take("?i:"):
		p.fold = true
	case p.take("?-i:"):
		p.fold = false
	case p.take("?="):
		condition, n.kind = true, ahead
	case p.take("?!"):
		condition, n.kind, n.negated = true, ahead, true
	case p.take("?<="):
		condition, n.kind = true, behind
	case p.take("?<!"):
		condition, n.kind, n.negated = true, behind, true
	case strings.HasPrefix(p.rest, "?"):
		return nil, fmt.Errorf("group %.5q is not supported", "("+p.rest)
	}
	inner, err := p.choice()
	switch {
	case err != nil:
		return nil, err
	case !p.take(")"):
		return nil, errors.New("a group is not closed")
	case !condition:
		return inner, nil
	}
	var ok bool
	if n.set, ok = single(inner); !ok {
		return nil, errors.New("a condition on more than one character is not supported")
	}
	return n, nil
}

// single is the set of an expression that always matches one character.
func single(n *node) (runeSet, bool) {
	switch {
	case n.kind == oneRune:
		return n.set, true
	case n.kind == sequence && len(n.children) == 1:
		return single(n.children[0])
	case n.kind == choice:
		var all runeSet
		for _, child := range n.children {
			set, ok := single(child)
			if !ok {
				return nil, false
			}
			all = all.or(set)
		}
		return all, true
	}
	return nil, false
}

// escapedAtom is what follows a backslash outside of a class. r becomes the literal, if it is one.
func (p *regexParser) escapedAtom(r *rune) (*node, error) {
	condition := func(before, after bool) *node {
		return &node{kind: sequence, children: []*node{
			{kind: behind, set: loneWordSet(), negated: !before}, {kind: ahead, set: loneWordSet(), negated: !after},
		}}
	}
	switch {
	case p.take("b"):
		*r = 0
		return &node{kind: choice, children: []*node{condition(true, false), condition(false, true)}}, nil
	case p.take("B"):
		*r = 0
		return &node{kind: choice, children: []*node{condition(true, true), condition(false, false)}}, nil
	case p.take("A"):
		*r = 0
		return &node{kind: behind, set: everyRune, negated: true}, nil
	case p.take("z"):
		*r = 0
		return &node{kind: ahead, set: everyRune, negated: true}, nil
	}
	set, literal, err := p.escape(loneWordSet)
	if err != nil {
		return nil, err
	}
	if literal >= 0 {
		*r = literal
		return p.letter(literal)
	}
	*r = 0
	return p.one(set)
}

// escape is what follows a backslash: a set, or a literal character, else -1. word is what \w means there.
func (p *regexParser) escape(word func() runeSet) (set runeSet, literal rune, err error) {
	r, err := p.next()
	if err != nil {
		return nil, -1, err
	}
	shorthand := func(set runeSet, upper rune) (runeSet, rune, error) {
		if r == upper {
			set = set.not()
		}
		return set, -1, nil
	}
	switch r {
	case 's', 'S':
		return shorthand(spaceSet(), 'S')
	case 'w', 'W':
		return shorthand(word(), 'W')
	case 'd', 'D':
		digits, err := property("Nd")
		if err != nil {
			return nil, -1, err
		}
		return shorthand(digits, 'D')
	case 'h', 'H':
		return shorthand(runeSet{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 'H')
	case 'p', 'P':
		name, rest, ok := strings.Cut(strings.TrimPrefix(p.rest, "{"), "}")
		if !strings.HasPrefix(p.rest, "{") || !ok {
			return nil, -1, fmt.Errorf(`\%c is followed by no {name}`, r)
		}
		p.rest = rest
		plain, negated := strings.CutPrefix(name, "^")
		set, err := property(plain)
		if err != nil {
			return nil, -1, err
		}
		if negated {
			set = set.not()
		}
		return shorthand(set, 'P')
	case 'n':
		return nil, '\n', nil
	case 'r':
		return nil, '\r', nil
	case 't':
		return nil, '\t', nil
	case 'f':
		return nil, '\f', nil
	case 'v':
		return nil, '\v', nil
	case 'a':
		return nil, '\a', nil
	case 'e':
		return nil, 0x1B, nil
	case 'x', 'u':
		literal, err := p.code(r)
		return nil, literal, err
	}
	if r < utf8.RuneSelf && (r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') {
		return nil, -1, fmt.Errorf(`\%c is not supported`, r)
	}
	return nil, r, nil
}

// code is \xHH, \x{H…} or \uHHHH behind its letter.
func (p *regexParser) code(kind rune) (rune, error) {
	digits := ""
	switch {
	case kind == 'x' && p.take("{"):
		inside, rest, ok := strings.Cut(p.rest, "}")
		if !ok {
			return -1, errors.New(`\x{ is not closed`)
		}
		digits, p.rest = inside, rest
	case kind == 'x' && len(p.rest) >= 2:
		digits, p.rest = p.rest[:2], p.rest[2:]
	case kind == 'u' && len(p.rest) >= 4:
		digits, p.rest = p.rest[:4], p.rest[4:]
	}
	n, err := strconv.ParseUint(digits, 16, 21)
	if err != nil || !utf8.ValidRune(rune(n)) || kind == 'x' && len(digits) == 2 && n >= utf8.RuneSelf {
		return -1, fmt.Errorf(`\%c%s is no character`, kind, digits)
	}
	return rune(n), nil
}

// class is what follows an opening bracket: characters, ranges, shorthands, classes within, && for what both sides
// have.
func (p *regexParser) class() (runeSet, error) {
	if p.depth++; p.depth > maxRegexDepth {
		return nil, fmt.Errorf("classes nest deeper than %d", maxRegexDepth)
	}
	defer func() { p.depth-- }()
	negated := p.take("^")
	var set, left runeSet
	both := false // left is the left side of an &&
	for first := true; ; first = false {
		if p.take("&&") {
			if both {
				set = left.and(set)
			}
			left, set, both = set, nil, true
			continue
		}
		if strings.HasPrefix(p.rest, "[:") {
			return nil, errors.New("[:names:] are not supported")
		}
		r, err := p.next()
		if err != nil {
			return nil, errors.New("a class is not closed")
		}
		var item runeSet
		literal := r
		switch {
		case r == ']' && !first:
			if both {
				set = left.and(set)
			}
			if negated {
				set = set.not()
			}
			return set, nil
		case r == '[':
			if item, err = p.class(); err != nil {
				return nil, err
			}
			literal = -1
		case r == '\\':
			if item, literal, err = p.escape(wordSet); err != nil {
				return nil, err
			}
		}
		if literal >= 0 {
			last := literal
			if strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
				if last, err = p.rangeEnd(); err != nil {
					return nil, err
				}
				if last < literal {
					return nil, fmt.Errorf("the range %c-%c is empty", literal, last)
				}
			}
			item = runeSet{{literal, last}}
		}
		set = set.or(item)
	}
}

// rangeEnd is the last character of a range, whose - is next.
func (p *regexParser) rangeEnd() (rune, error) {
	p.take("-")
	r, err := p.next()
	switch {
	case err != nil:
		return 0, err
	case r == '[':
		return 0, errors.New("a range that ends in a class is not supported")
	case r != '\\':
		return r, nil
	}
	_, literal, err := p.escape(wordSet)
	if err == nil && literal < 0 {
		err = errors.New("a range that ends in a class is not supported")
	}
	return literal, err
}
