package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// Document is one document of the corpus.
type Document struct {
	Number      int
	Origin      string // where it comes from: a path within the corpus, a line of a file
	Hash        uint64 // HashText of its whole text
	First, End  int    // its positions: [First, End)
	FirstWindow int
	EndWindow   int
}

// Split is what the document may be used for.
func (d Document) Split() Split { return SplitOf(d.Hash) }

// Window is a stretch of a document that the model reads as one prompt, BOS in front.
type Window struct {
	Number     int
	Document   int
	First, End int   // its positions: [First, End)
	Start      int64 // byte of the document at which its text begins, -1 where that is unknown
	// Repeats says that an earlier window has the same content.
	Repeats bool
}

// WindowIDs is a window as it is added.
type WindowIDs struct {
	IDs   []int // BOS not among them
	Start int64 // as that of Window
	// Text is the window's text where decoding IDs would give another one, else empty.
	Text string
}

const (
	documentSize = 24 // hash u64, origin u64, first window u32, reserved u32
	windowSize   = 16 // first position u32, document u32 (repeats in bit 31), start i64
	textSize     = 16 // window u32, length u32, offset u64
	repeatsBit   = 1 << 31
)

// CorpusBuilder makes the corpus of an index, document by document. It is not safe for concurrent use.
type CorpusBuilder struct {
	meta    Meta
	options Options
	idBytes int
	spools  map[string]io.ReadWriter // of the sections that grow with the corpus
	origin  uint64                   // bytes of origins so far
	text    uint64
	texts   int
	open    bool // a document is
	hash    textHash
	seen    map[[2]uint64]struct{} // hashes of windows
	seeds   [2]maphash.Seed
	sample  []int
	inside  int // windows of the open document
	first   int // window of the open document
	pending string
	digest  digest
	scratch []byte
}

// NewCorpusBuilder begins a corpus in memory.
func NewCorpusBuilder(corpus Corpus, o Options) *CorpusBuilder {
	spools := map[string]io.ReadWriter{}
	for _, name := range corpusSections {
		spools[name] = new(bytes.Buffer)
	}
	return newCorpusBuilder(corpus, o, spools)
}

var corpusSections = []string{idsSection, documentsSection, originsSection, windowsSection, textsSection + ".table",
	textsSection}

func newCorpusBuilder(corpus Corpus, o Options, spools map[string]io.ReadWriter) *CorpusBuilder {
	o = o.resolved()
	b := &CorpusBuilder{
		options: o, spools: spools, seen: map[[2]uint64]struct{}{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		meta: Meta{
			Format: Format, Corpus: corpus, Keep: o.Keep, Dense: o.Dense, Examples: o.Examples, SampleEvery: o.SampleEvery,
			Signs: o.Signs, NoSuffixes: o.NoSuffixes,
		},
	}
	b.idBytes = idBytes(corpus.Vocabulary)
	return b
}

// idBytes is the width of an id in a file.
func idBytes(vocabulary int) int {
	if vocabulary <= 1<<16 {
		return 2
	}
	return 4
}

// Report tells what was read and left out: [Meta.Report], as JSON.
func (b *CorpusBuilder) Report(report any) (err error) {
	b.meta.Report, err = json.Marshal(report)
	return err
}

// Begin begins a document.
func (b *CorpusBuilder) Begin(origin string) error {
	if err := b.End(); err != nil {
		return err
	}
	b.open, b.pending, b.hash, b.inside, b.first = true, origin, newTextHash(), 0, b.meta.Windows
	return nil
}

// Hash adds a piece of the open document's text to its hash.
func (b *CorpusBuilder) Hash(text string) {
	io.WriteString(b.hash, text) // a hash never fails
}

// Window adds a window to the open document.
func (b *CorpusBuilder) Window(w WindowIDs) error {
	switch {
	case !b.open:
		return errors.New("index: a window outside of a document")
	case len(w.IDs) == 0:
		return errors.New("index: a window of no tokens")
	case b.meta.Positions+len(w.IDs) > maxPositions:
		return errors.New("index: the corpus has more than 2^32 tokens: index it in parts")
	}
	ids := b.scratch[:0]
	for _, id := range w.IDs {
		if id < 0 || id >= b.meta.Vocabulary {
			return fmt.Errorf("index: token %d of %s is beyond the vocabulary of %d", id, b.pending, b.meta.Vocabulary)
		}
		if id != b.meta.BOS {
			b.meta.Counted++
		}
		if b.idBytes == 2 {
			ids = binary.LittleEndian.AppendUint16(ids, uint16(id))
		} else {
			ids = binary.LittleEndian.AppendUint32(ids, uint32(id))
		}
	}
	b.scratch = ids
	content := append(ids, w.Text...)
	key := [2]uint64{maphash.Bytes(b.seeds[0], content), maphash.Bytes(b.seeds[1], content)}
	_, repeats := b.seen[key]
	b.seen[key] = struct{}{}
	document := uint32(b.meta.Documents)
	if repeats {
		document |= repeatsBit
	}
	record := binary.LittleEndian.AppendUint32(nil, uint32(b.meta.Positions))
	record = binary.LittleEndian.AppendUint32(record, document)
	record = binary.LittleEndian.AppendUint64(record, uint64(w.Start))
	var err error
	put := func(section string, p []byte) {
		if err == nil {
			_, err = b.spools[section].Write(p)
		}
	}
	put(idsSection, ids)
	put(windowsSection, record)
	b.digest.add(record, ids)
	if w.Text != "" {
		entry := binary.LittleEndian.AppendUint32(nil, uint32(b.meta.Windows))
		entry = binary.LittleEndian.AppendUint32(entry, uint32(len(w.Text)))
		entry = binary.LittleEndian.AppendUint64(entry, b.text)
		put(textsSection+".table", entry)
		put(textsSection, []byte(w.Text))
		b.digest.add([]byte(w.Text))
		b.text += uint64(len(w.Text))
		b.texts++
	}
	b.meta.Positions += len(w.IDs)
	b.meta.Windows++
	b.inside++
	return err
}

// End ends the open document, if there is one. A document without windows leaves no trace.
func (b *CorpusBuilder) End() error {
	if !b.open {
		return nil
	}
	b.open = false
	if b.inside == 0 {
		return nil
	}
	hash := b.hash.sum()
	for w := range b.inside {
		if b.options.SampleEvery > 0 && mix(hash+uint64(w))%uint64(b.options.SampleEvery) == 0 {
			b.sample = append(b.sample, b.first+w)
		}
	}
	record := binary.LittleEndian.AppendUint64(nil, hash)
	record = binary.LittleEndian.AppendUint64(record, b.origin)
	record = binary.LittleEndian.AppendUint32(record, uint32(b.first))
	record = binary.LittleEndian.AppendUint32(record, 0)
	b.digest.add(record, []byte(b.pending))
	b.origin += uint64(len(b.pending))
	b.meta.Documents++
	if _, err := b.spools[documentsSection].Write(record); err != nil {
		return err
	}
	_, err := io.WriteString(b.spools[originsSection], b.pending)
	return err
}

// mix spreads a number over all 64 bits (the finalizer of SplitMix64; Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// digest is a hash of the corpus in the order it was added.
type digest struct{ hash textHash }

func (d *digest) add(parts ...[]byte) {
	if d.hash.Hash == nil {
		d.hash.Hash = sha256.New()
	}
	for _, p := range parts {
		d.hash.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p)))) // a hash never fails
		d.hash.Write(p)                                                     // as before
	}
}

func (d *digest) String() string {
	d.add()
	return hex.EncodeToString(d.hash.Hash.Sum(nil))
}

// Corpus ends the corpus and gives it as an index in memory, of no neuron.
func (b *CorpusBuilder) Corpus() (*Index, error) {
	var file bytes.Buffer
	if err := b.writeTo(&file); err != nil {
		return nil, err
	}
	return Read(file.Bytes())
}

// writeTo ends the corpus and writes it as a file.
func (b *CorpusBuilder) writeTo(to io.Writer) error {
	if err := b.End(); err != nil {
		return err
	}
	if b.meta.Windows == 0 {
		return errors.New("index: no text in the corpus on which the model could be run")
	}
	b.meta.CorpusDigest = b.digest.String()
	w := newWriter(to)
	section := func(name string, more ...[]byte) error {
		w.section(name)
		if _, err := io.Copy(w, rewound(b.spools[name])); err != nil {
			return err
		}
		for _, p := range more {
			w.Write(p) // kept in w.err
		}
		return w.err
	}
	lastDocument := binary.LittleEndian.AppendUint64(make([]byte, 8), b.origin)
	lastDocument = binary.LittleEndian.AppendUint32(lastDocument, uint32(b.meta.Windows))
	lastDocument = append(lastDocument, 0, 0, 0, 0)
	lastWindow := binary.LittleEndian.AppendUint32(nil, uint32(b.meta.Positions))
	lastWindow = append(lastWindow, make([]byte, windowSize-4)...)
	err := errors.Join(
		section(idsSection),
		section(documentsSection, lastDocument),
		section(originsSection),
		section(windowsSection, lastWindow),
	)
	if err == nil && b.texts > 0 {
		w.section(textsSection)
		w.Write(binary.LittleEndian.AppendUint64(nil, uint64(b.texts))) // kept in w.err
		_, err = io.Copy(w, rewound(b.spools[textsSection+".table"]))
		if err == nil {
			_, err = io.Copy(w, rewound(b.spools[textsSection]))
		}
	}
	if err != nil {
		return err
	}
	w.section(sampleSection)
	for _, n := range b.sample {
		w.Write(binary.LittleEndian.AppendUint32(nil, uint32(n))) // kept in w.err
	}
	return w.close(b.meta)
}

// rewound is a spool from its beginning.
func rewound(s io.ReadWriter) io.Reader {
	if file, ok := s.(*spool); ok {
		return file.rewind()
	}
	return s
}

// Document returns a document.
func (x *Index) Document(number int) (Document, error) {
	if number < 0 || number >= x.meta.Documents {
		return Document{}, fmt.Errorf("index: document %d of %d", number, x.meta.Documents)
	}
	b, err := x.file.read(documentsSection, int64(number)*documentSize, 2*documentSize)
	if err != nil {
		return Document{}, err
	}
	d := Document{
		Number: number, Hash: binary.LittleEndian.Uint64(b),
		FirstWindow: int(binary.LittleEndian.Uint32(b[16:])), EndWindow: int(binary.LittleEndian.Uint32(b[documentSize+16:])),
	}
	first, end := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[documentSize+8:])
	if first > end || d.FirstWindow >= d.EndWindow || d.EndWindow > x.meta.Windows {
		return Document{}, errDamaged
	}
	origin, err := x.file.read(originsSection, int64(first), int64(end-first))
	if err != nil {
		return Document{}, err
	}
	d.Origin = string(origin)
	d.First, _ = x.bounds(d.FirstWindow)
	_, d.End = x.bounds(d.EndWindow - 1)
	return d, nil
}

// bounds are the positions of a window, whose table was checked when the index was opened.
func (x *Index) bounds(number int) (first, end int) {
	return int(binary.LittleEndian.Uint32(x.windows[number*windowSize:])),
		int(binary.LittleEndian.Uint32(x.windows[(number+1)*windowSize:]))
}

// Window returns a window.
func (x *Index) Window(number int) (Window, error) {
	if number < 0 || number >= x.meta.Windows {
		return Window{}, fmt.Errorf("index: window %d of %d", number, x.meta.Windows)
	}
	first, end := x.bounds(number)
	b := x.windows[number*windowSize:]
	document := binary.LittleEndian.Uint32(b[4:])
	w := Window{
		Number: number, Document: int(document &^ repeatsBit), First: first, End: end,
		Start: int64(binary.LittleEndian.Uint64(b[8:])), Repeats: document&repeatsBit != 0,
	}
	if w.Document >= x.meta.Documents {
		return Window{}, errDamaged
	}
	return w, nil
}

// WindowAt is the number of the window that holds a position.
func (x *Index) WindowAt(position int) (int, error) {
	if position < 0 || position >= x.meta.Positions {
		return 0, fmt.Errorf("index: position %d of %d", position, x.meta.Positions)
	}
	return windowAt(x.windows, 0, x.meta.Windows, position), nil
}

// windowAt searches windows [low, high) of the table for the last that begins at or before a position.
func windowAt(table []byte, low, high, position int) int {
	for high-low > 1 {
		middle := int(uint(low+high) / 2)
		if int(binary.LittleEndian.Uint32(table[middle*windowSize:])) <= position {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// windowFrom is windowAt where the window is likely to stand soon after low.
func windowFrom(table []byte, low, high, position int) int {
	step := 1
	for low+step < high && int(binary.LittleEndian.Uint32(table[(low+step)*windowSize:])) <= position {
		low += step
		step *= 2
	}
	return windowAt(table, low, min(low+step, high), position)
}

// documentEnd is where the document ends that holds a position.
func (x *Index) documentEnd(position int) (int, error) {
	window := windowAt(x.windows, 0, x.meta.Windows, position)
	number := binary.LittleEndian.Uint32(x.windows[window*windowSize+4:]) &^ repeatsBit
	b, err := x.file.read(documentsSection, (int64(number)+1)*documentSize, documentSize)
	if err != nil {
		return 0, err
	}
	next := int(binary.LittleEndian.Uint32(b[16:]))
	if next <= window || next > x.meta.Windows {
		return 0, errDamaged
	}
	_, end := x.bounds(next - 1)
	return end, nil
}

// IDs returns the token ids of positions [first, end).
func (x *Index) IDs(first, end int) ([]int, error) {
	width := int64(idBytes(x.meta.Vocabulary))
	b, err := x.file.read(idsSection, int64(first)*width, int64(end-first)*width)
	if err != nil {
		return nil, err
	}
	ids := make([]int, end-first)
	for i := range ids {
		if width == 2 {
			ids[i] = int(binary.LittleEndian.Uint16(b[2*i:]))
		} else {
			ids[i] = int(binary.LittleEndian.Uint32(b[4*i:]))
		}
		if ids[i] >= x.meta.Vocabulary {
			return nil, errDamaged
		}
	}
	return ids, nil
}

// WindowText is the text of a window where that is not what its ids decode to; else ok is false.
func (x *Index) WindowText(number int) (text string, ok bool, err error) {
	if !x.file.has(textsSection) {
		return "", false, nil
	}
	b, err := x.file.read(textsSection, 0, 8)
	if err != nil {
		return "", false, err
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(x.meta.Windows) {
		return "", false, errDamaged
	}
	table, err := x.file.read(textsSection, 8, int64(n)*textSize)
	if err != nil {
		return "", false, err
	}
	low, high := 0, int(n)
	for low < high {
		middle := int(uint(low+high) / 2)
		if int(binary.LittleEndian.Uint32(table[middle*textSize:])) < number {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == int(n) || int(binary.LittleEndian.Uint32(table[low*textSize:])) != number {
		return "", false, nil
	}
	entry := table[low*textSize:]
	length, offset := binary.LittleEndian.Uint32(entry[4:]), binary.LittleEndian.Uint64(entry[8:])
	if offset > 1<<62 {
		return "", false, errDamaged
	}
	content, err := x.file.read(textsSection, 8+int64(n)*textSize+int64(offset), int64(length))
	return string(content), err == nil, err
}
