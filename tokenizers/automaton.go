package tokenizers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// automaton finds the matches of a regular expression as a backtracking engine would, the first alternative that leads
// to a match before the others, but in time linear in the text. It is a table: its states are the ordered lists of
// places in the expression that are still in the running (Cox 2010, "Regular Expression Matching in the Wild"), and it
// knows characters by classes that the expression cannot tell apart. A condition on the next character is decided when
// that is read, one on the character before is part of the state.
type automaton struct {
	ascii   [utf8.RuneSelf]uint8
	pages   [(utf8.MaxRune + 1) >> 8]*[256]uint8
	classes int      // the text's end is one more class
	table   []uint32 // [state][class or end]: step
	starts  []uint32 // by class of the character before, or none
}

// step is the next state plus one, 0 where nothing is left, shifted by one, and whether a match ends before the
// character.
const (
	stepMatched = 1
	stepShift   = 1
)

// Bounds of what an expression may become.
const (
	maxPlaces  = 1 << 13
	maxStates  = 1 << 12
	maxSets    = 64
	maxClasses = 250
)

// place is an instruction: a node of the expression laid out flat.
type place struct {
	kind    placeKind
	set     int // index
	negated bool
	x, y    int // what follows
}

type placeKind uint8

const (
	placeRune   placeKind = iota // of the set, then x
	placeAhead                   // the next character is of the set, or is not, then x
	placeBehind                  // likewise the one before
	placeFork                    // x, or else y
	placeMatch
)

// compiler lays out an expression.
type compiler struct {
	places []place
	sets   []runeSet
	err    error
}

func (c *compiler) add(p place) int {
	if len(c.places) == maxPlaces {
		c.err = fmt.Errorf("written out, it has more than %d parts", maxPlaces)
		return 0
	}
	c.places = append(c.places, p)
	return len(c.places) - 1
}

func (c *compiler) set(s runeSet) int {
	at := slices.IndexFunc(c.sets, func(other runeSet) bool { return slices.Equal(s, other) })
	if at >= 0 {
		return at
	}
	if len(c.sets) == maxSets {
		c.err = fmt.Errorf("it has more than %d classes of characters", maxSets)
		return 0
	}
	c.sets = append(c.sets, s)
	return len(c.sets) - 1
}

// lay lays out n before next, and returns where it begins.
func (c *compiler) lay(n *node, next int) int {
	if c.err != nil {
		return 0
	}
	switch n.kind {
	case oneRune:
		return c.add(place{kind: placeRune, set: c.set(n.set), x: next})
	case ahead:
		return c.add(place{kind: placeAhead, set: c.set(n.set), negated: n.negated, x: next})
	case behind:
		return c.add(place{kind: placeBehind, set: c.set(n.set), negated: n.negated, x: next})
	case sequence:
		for _, child := range slices.Backward(n.children) {
			next = c.lay(child, next)
		}
		return next
	case choice:
		begin := c.lay(n.children[len(n.children)-1], next)
		for _, child := range slices.Backward(n.children[:len(n.children)-1]) {
			begin = c.add(place{kind: placeFork, x: c.lay(child, next), y: begin})
		}
		return begin
	}
	fork := func(body, past int) place {
		if n.lazy {
			body, past = past, body
		}
		return place{kind: placeFork, x: body, y: past}
	}
	if n.max < 0 {
		loop := c.add(place{kind: placeFork})
		past := next
		body := c.lay(n.children[0], loop)
		if c.err == nil {
			c.places[loop] = fork(body, past)
		}
		next = loop
	} else {
		past := next
		for range n.max - n.min {
			next = c.add(fork(c.lay(n.children[0], next), past))
		}
	}
	for range n.min {
		next = c.lay(n.children[0], next)
	}
	return next
}

// compileRegex makes the automaton of an expression, which must not match the empty text.
func compileRegex(expr string) (*automaton, error) {
	tree, err := parseRegex(expr)
	if err != nil {
		return nil, err
	}
	c := &compiler{places: []place{{kind: placeMatch}}}
	start := c.lay(tree, 0)
	if c.err != nil {
		return nil, c.err
	}
	a := &automaton{}
	members, err := a.classify(c.sets)
	if err != nil {
		return nil, err
	}
	return a, a.build(c.places, start, members)
}

// classify gives characters that are in the same sets one class, and returns the sets of each class, as bits.
func (a *automaton) classify(sets []runeSet) (members []uint64, err error) {
	type border struct {
		at  rune
		set int
	}
	var borders []border // where a set begins or ends
	for i, set := range sets {
		for _, r := range set {
			borders = append(borders, border{r.lo, i}, border{r.hi + 1, i})
		}
	}
	slices.SortFunc(borders, func(x, y border) int { return int(x.at - y.at) })
	number := map[uint64]int{}
	in, from := uint64(0), rune(0)
	uniform := map[int]*[256]uint8{}
	fill := func(to rune) error { // the characters from from on, up to to
		if from >= to {
			return nil
		}
		class, ok := number[in]
		if !ok {
			if class = len(members); class == maxClasses {
				return fmt.Errorf("it tells more than %d classes of characters apart", maxClasses)
			}
			number[in] = class
			members = append(members, in)
		}
		for r := from; r < to; {
			page, offset := r>>8, r&0xFF
			if offset == 0 && to-r >= 256 {
				if uniform[class] == nil {
					p := new([256]uint8)
					for i := range p {
						p[i] = uint8(class)
					}
					uniform[class] = p
				}
				a.pages[page] = uniform[class]
				r += 256
				continue
			}
			if a.pages[page] == nil {
				a.pages[page] = new([256]uint8)
			}
			a.pages[page][offset] = uint8(class)
			r++
		}
		from = to
		return nil
	}
	for _, b := range borders {
		if err := fill(b.at); err != nil {
			return nil, err
		}
		in ^= 1 << b.set
	}
	if err := fill(utf8.MaxRune + 1); err != nil {
		return nil, err
	}
	copy(a.ascii[:], a.pages[0][:])
	a.classes = len(members)
	return members, nil
}

// running is a state: places in the order in which a backtracking engine would try them, and the class of the character
// before where that matters, else 0.
type running struct {
	places []int
	before int
}

func (s running) key() string {
	key := binary.AppendUvarint(nil, uint64(s.before))
	for _, p := range s.places {
		key = binary.AppendUvarint(key, uint64(p))
	}
	return string(key)
}

// build fills the table with all states that can be reached.
func (a *automaton) build(places []place, start int, members []uint64) error {
	end := a.classes
	looksBehind := slices.ContainsFunc(places, func(p place) bool { return p.kind == placeBehind })
	number := map[string]uint32{}
	var states []running
	numberOf := func(list []int, before int) uint32 {
		if len(list) == 0 {
			return 0
		}
		if !looksBehind {
			before = 0
		}
		s := running{list, before}
		key := s.key()
		n, ok := number[key]
		if !ok {
			states = append(states, s)
			n = uint32(len(states))
			number[key] = n
		}
		return n
	}
	for before := range end + 1 {
		a.starts = append(a.starts, numberOf([]int{start}, before))
	}
	first := len(states)
	holds := func(p place, class int) bool {
		return (class < end && members[class]>>p.set&1 == 1) != p.negated
	}
	seen := make([]int, len(places)) // by place, when it was last visited
	visit := 0
	for at := 0; at < len(states); at++ {
		if len(states) > maxStates {
			return fmt.Errorf("it has more than %d states", maxStates)
		}
		for class := range end + 1 {
			visit++
			var follow []int
			matched := false
			stack := slices.Clone(states[at].places)
			slices.Reverse(stack)
			for len(stack) > 0 && !matched {
				i := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				if seen[i] == visit {
					continue
				}
				seen[i] = visit
				switch p := places[i]; p.kind {
				case placeMatch:
					matched = true // what comes later in the order has lost
				case placeFork:
					stack = append(stack, p.y, p.x)
				case placeAhead:
					if holds(p, class) {
						stack = append(stack, p.x)
					}
				case placeBehind:
					if holds(p, states[at].before) {
						stack = append(stack, p.x)
					}
				case placeRune:
					if class < end && members[class]>>p.set&1 == 1 && !slices.Contains(follow, p.x) {
						follow = append(follow, p.x)
					}
				}
			}
			if matched && at < first {
				return errors.New("it matches the empty text")
			}
			step := numberOf(follow, class) << stepShift
			if matched {
				step |= stepMatched
			}
			a.table = append(a.table, step)
		}
	}
	return nil
}

// classAt is the class and length of the character at s[i].
func (a *automaton) classAt(s string, i int) (class, n int) {
	if c := s[i]; c < utf8.RuneSelf {
		return int(a.ascii[c]), 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return int(a.pages[r>>8][r&0xFF]), n
}

// find calls emit for each match in s, in order.
func (a *automaton) find(s string, emit func(i, j int)) {
	width := uint32(a.classes + 1)
	before := a.classes
	var dead deadEnds
	for i := 0; i < len(s); {
		state, end := a.starts[before], -1
		beyond := 0 // characters read since the last end of a match
		for p := i; ; {
			class, n := a.classes, 1
			if p < len(s) {
				if c := s[p]; c < utf8.RuneSelf {
					class = int(a.ascii[c])
				} else {
					class, n = a.classAt(s, p)
				}
			}
			step := a.table[(state-1)*width+uint32(class)]
			if step&stepMatched != 0 {
				end, beyond = p, 0
				if len(dead.path) > 0 {
					dead.forget()
				}
			}
			if state = step >> stepShift; state == 0 || p >= len(s) {
				break
			}
			p += n
			if beyond++; beyond > freeReach && dead.known(state, p) {
				break
			}
		}
		dead.keep()
		if end < 0 {
			var n int
			before, n = a.classAt(s, i)
			i += n
			continue
		}
		emit(i, end)
		i = end
		_, n := utf8.DecodeLastRuneInString(s[:i])
		before, _ = a.classAt(s, i-n)
	}
}

// freeReach is how far a search may look beyond a match in vain before that is remembered.
const freeReach = 32

// deadEnds remembers from which states no match ends at any later place of the text, so that no two searches go the
// same way in vain: all of them together are linear (Reps 1998, "Maximal-Munch Tokenization in Linear Time").
type deadEnds struct {
	all  map[deadEnd]struct{}
	path []deadEnd // since the last end of a match
}

type deadEnd struct {
	state uint32
	at    int
}

// known says whether the end is dead, and else takes it up in the path.
func (d *deadEnds) known(state uint32, at int) bool {
	end := deadEnd{state, at}
	if _, ok := d.all[end]; ok {
		return true
	}
	d.path = append(d.path, end)
	return false
}

// forget drops the path, since a match ends on it.
func (d *deadEnds) forget() { d.path = d.path[:0] }

// keep makes dead ends of the path.
func (d *deadEnds) keep() {
	if len(d.path) == 0 {
		return
	}
	if d.all == nil {
		d.all = map[deadEnd]struct{}{}
	}
	for _, end := range d.path {
		d.all[end] = struct{}{}
	}
	d.path = d.path[:0]
}

// cut is find with what lies between.
func (a *automaton) cut(s string, emit func(i, j int)) {
	done := 0
	a.find(s, func(i, j int) {
		if done < i {
			emit(done, i)
		}
		emit(i, j)
		done = j
	})
	if done < len(s) {
		emit(done, len(s))
	}
}

func (a *automaton) matches(s string) []match {
	var found [][]int
	a.find(s, func(i, j int) { found = append(found, []int{i, j}) })
	return between(s, found)
}
