package arrow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/klauspost/compress/zstd"
)

// TestDictionaryBound: parts that are added count with those that are there, and empty texts too.
func TestDictionaryBound(t *testing.T) {
	of := func(list ...string) *texts {
		values := &texts{column: Column{kind: kindUTF8}, count: len(list), step: 4, places: make([]byte, 4),
			data: [][]byte{{}}}
		for _, text := range list {
			values.data[0] = append(values.data[0], text...)
			values.places = binary.LittleEndian.AppendUint32(values.places, uint32(len(values.data[0])))
		}
		return values
	}
	d := dictionary{size: maxUnpacked - 100}
	for _, text := range []string{"a", "", "bc"} {
		if err := d.add(of(text)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"a", "", "bc"}; !slices.Equal(d.texts, want) {
		t.Errorf("%q, want %q", d.texts, want)
	}
	if err := d.add(of("", "", "", "")); !errors.Is(err, errDictionary) {
		t.Error(err)
	}
}

// TestUnpackedBound: what all batches unpack to is bound by what was read of them.
func TestUnpackedBound(t *testing.T) {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(make([]byte, 1000))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := append(binary.LittleEndian.AppendUint64(nil, 1000), packed.Bytes()...)
	const read = maxUnpacked / maxRatio * 2 // so that its multiple is the bound
	for before, want := range map[int64]error{0: nil, maxRatio*read - 1000: nil, maxRatio*read - 999: errRatio} {
		u := unpacker{reader: &Reader{read: read, unpacked: before}, codec: codecZstd, left: maxUnpacked}
		if got, err := u.unpack(data); err != want || err == nil && len(got) != 1000 {
			t.Errorf("behind %d bytes: %d, %v, want %v", before, len(got), err, want)
		}
	}
}

// TestNamesBound: columns whose names are the same bytes of the metadata are refused before they are copied.
func TestNamesBound(t *testing.T) {
	schemaOf := func(columns int) table {
		b := flatbuffers.NewBuilder(0)
		name := b.CreateByteString(make([]byte, 1<<20))
		fields := make([]flatbuffers.UOffsetT, columns)
		for i := range fields {
			b.StartObject(6)
			b.PrependUOffsetTSlot(fieldName, name, 0)
			b.PrependByteSlot(fieldKind, byte(kindUTF8), 0)
			fields[i] = b.EndObject()
		}
		b.StartVector(4, columns, 4)
		for _, f := range slices.Backward(fields) {
			b.PrependUOffsetT(f)
		}
		list := b.EndVector(columns)
		b.StartObject(2)
		b.PrependUOffsetTSlot(schemaFields, list, 0)
		b.Finish(b.EndObject())
		return rootTable(b.FinishedBytes())
	}
	if all, err := columns(version5, schemaOf(1)); err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	if _, err := columns(version5, schemaOf(5000)); !errors.Is(err, errMetadata) {
		t.Error(err)
	}
}
