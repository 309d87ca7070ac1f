package checkpoint

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path"
)

// maxPickle bounds the pickle itself, which holds names and shapes only: the largest models need less than a megabyte.
const maxPickle = 64 << 20

// The two numbers that begin a file of the format before PyTorch 1.6.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

const legacyProtocol = 1001

// loadZip reads the archive that PyTorch writes since 1.6: NAME/data.pkl, and each storage as NAME/data/KEY, stored
// uncompressed.
func loadZip(r io.ReaderAt, size int64) (any, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("damaged zip archive: %w", err)
	}
	entries := map[string]*zip.File{}
	root, found := "", false
	for _, entry := range archive.File {
		entries[entry.Name] = entry
		if path.Base(entry.Name) == "data.pkl" && !found {
			root, found = path.Dir(entry.Name), true
		}
	}
	if !found {
		return nil, errors.New("the archive holds no data.pkl: torch.save did not write it")
	}
	if order, ok := entries[path.Join(root, "byteorder")]; ok {
		if text, err := readEntry(order); err != nil || string(text) != "little" {
			return nil, errors.New("the values are big-endian: convert the file to safetensors")
		}
	}
	code, err := readEntry(entries[path.Join(root, "data.pkl")])
	if err != nil {
		return nil, err
	}
	storages := map[string]*storage{}
	m := machine{code: code, storage: func(id tuple) (*storage, error) {
		return storageOf(id, storages, func(key string, s *storage) error {
			entry, ok := entries[path.Join(root, "data", key)]
			if !ok {
				return fmt.Errorf("the archive holds no storage %q", key)
			}
			if entry.Method != zip.Store {
				return fmt.Errorf("storage %q is compressed, which torch.save never does: convert the file to safetensors", key)
			}
			begin, err := entry.DataOffset()
			if err != nil {
				return fmt.Errorf("storage %q: %w", key, err)
			}
			s.begin = begin
			return s.check(key, size)
		})
	}}
	return m.run()
}

// readEntry reads a small entry of an archive.
func readEntry(entry *zip.File) ([]byte, error) {
	f, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", entry.Name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPickle+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", entry.Name, err)
	}
	if len(data) > maxPickle {
		return nil, fmt.Errorf("%s is larger than %d bytes, far more than a list of tensors needs", entry.Name, maxPickle)
	}
	return data, nil
}

// loadLegacy reads the older format: pickles one behind the other (a magic number, the protocol, facts of the system,
// the object, the keys of its storages), and then the storages in the order of the keys.
func loadLegacy(r io.ReaderAt, size int64) (any, error) {
	code := make([]byte, min(size, maxPickle))
	if n, err := r.ReadAt(code, 0); n < len(code) {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	m := machine{code: code}
	magic, err := m.run()
	if n, ok := magic.(*big.Int); err != nil || !ok || n.Cmp(legacyMagic) != 0 {
		return nil,
			errors.New("torch.save did not write it: neither a zip archive nor the magic number of older versions is at its " +
				"start")
	}
	if protocol, err := m.run(); err != nil || protocol != int64(legacyProtocol) {
		return nil, fmt.Errorf("the format's version is not %d, the only one of files without an archive", legacyProtocol)
	}
	system, err := m.run()
	if err != nil {
		return nil, err
	}
	if facts, ok := system.(*dict); ok && facts.values["little_endian"] == false {
		return nil, errors.New("the values are big-endian: convert the file to safetensors")
	}
	storages := map[string]*storage{}
	m.storage = func(id tuple) (*storage, error) {
		if len(id) > 5 && id[5] != nil {
			return nil, errors.New("a storage that is part of another: convert the file to safetensors")
		}
		return storageOf(id, storages, func(string, *storage) error { return nil })
	}
	value, err := m.run()
	if err != nil {
		return nil, err
	}
	keys, err := m.run()
	if err != nil {
		return nil, err
	}
	return value, placeStorages(r, size, int64(m.at), keys, storages)
}

// placeStorages finds where the storages of a file of the older format begin: each is its number of elements, as 8
// bytes, and its values.
func placeStorages(r io.ReaderAt, size, at int64, keys any, storages map[string]*storage) error {
	order, ok := keys.(*list)
	if !ok {
		return errors.New("the file does not list its storages")
	}
	placed := map[string]bool{}
	for _, item := range order.items {
		key, _ := item.(string)
		s, ok := storages[key]
		if !ok || placed[key] {
			return fmt.Errorf("the file lists a storage %.40q that no tensor has, or lists it twice", key)
		}
		placed[key] = true
		var count [8]byte
		if n, err := r.ReadAt(count[:], at); n < len(count) {
			return fmt.Errorf("the file is cut short before storage %q: %w", key, err)
		}
		if binary.LittleEndian.Uint64(count[:]) != uint64(s.elements) {
			return fmt.Errorf("storage %q has %d elements, but the tensors need %d",
				key, binary.LittleEndian.Uint64(count[:]), s.elements)
		}
		s.begin = at + int64(len(count))
		if err := s.check(key, size); err != nil {
			return err
		}
		at = s.begin + s.elements*int64(s.dtype.Size())
	}
	if len(placed) < len(storages) {
		return errors.New("the file does not hold all storages of its tensors")
	}
	return nil
}

// storageOf resolves a persistent id ("storage", class, key, device, elements, …); place finds the bytes of one that is
// seen for the first time.
func storageOf(id tuple, known map[string]*storage, place func(key string, s *storage) error) (*storage, error) {
	if len(id) < 5 || id[0] != "storage" {
		return nil, errors.New("a reference to something outside the pickle that is no storage")
	}
	kind, ok1 := id[1].(class)
	key, ok2 := id[2].(string)
	elements, ok3 := id[4].(int64)
	if !ok1 || !ok2 || !ok3 || elements < 0 || elements > 1<<40 {
		return nil, errors.New("a storage without type, key or size")
	}
	dtype, ok := storageTypes[kind]
	if !ok {
		return nil, fmt.Errorf("storage type %.60q is not known", kind)
	}
	if s, ok := known[key]; ok {
		if s.dtype != dtype || s.elements != elements {
			return nil, fmt.Errorf("storage %.40q is described in two ways", key)
		}
		return s, nil
	}
	s := &storage{dtype: dtype, elements: elements}
	if err := place(key, s); err != nil {
		return nil, err
	}
	known[key] = s
	return s, nil
}

// check refuses a storage that reaches beyond the file.
func (s *storage) check(key string, size int64) error {
	if end := s.begin + s.elements*int64(s.dtype.Size()); s.begin < 0 || end > size {
		return fmt.Errorf("storage %.40q ends at byte %d of a file of %d: it is cut short, fetch it again", key, end, size)
	}
	return nil
}
