package backends

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// entryPoint is the function that every PJRT plugin exports (xla/pjrt/c/pjrt_c_api.h).
const entryPoint = "GetPjrtApi"

// checkLibrary says what is wrong with the file of a plugin, without loading it: loading a library that is cut off ends
// the process, and no error of the system's loader names the cause. On macOS nothing is checked here.
func checkLibrary(path string) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("PJRT plugin: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("PJRT plugin: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf("PJRT plugin: %s is a folder", path)
	}
	if err := checkELF(f, info.Size(), runtime.GOARCH); err != nil {
		return fmt.Errorf("%s is no PJRT plugin that can be used here: %w", path, err)
	}
	return nil
}

// errCutOff is what is wrong with a library that ends before its last segment does.
var errCutOff = errors.New("the file is cut off: copy or download it again")

// checkELF checks a library of the ELF format: that it is whole, made for an architecture, and exports GetPjrtApi.
// Field offsets are those of the 64-bit file header (System V ABI, chapter 4).
func checkELF(r io.ReaderAt, size int64, goarch string) error {
	header := make([]byte, 64)
	if n, err := r.ReadAt(header, 0); n < len(header) {
		if n >= 4 && string(header[:4]) == elf.ELFMAG {
			return errCutOff
		}
		if err != nil && err != io.EOF {
			return err
		}
		return errors.New("it is no library")
	}
	if string(header[:4]) != elf.ELFMAG {
		return errors.New("it is no library")
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(header[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[goarch]
	machine := elf.Machine(order.Uint16(header[18:]))
	if elf.Class(header[elf.EI_CLASS]) != elf.ELFCLASS64 || machine != want {
		return fmt.Errorf("it is made for another machine (%s, %s) than this one (%s)", machine,
			elf.Class(header[elf.EI_CLASS]), goarch)
	}
	sections, sectionSize := order.Uint64(header[40:]), order.Uint16(header[58:])
	if end := sections + uint64(sectionSize)*uint64(order.Uint16(header[60:])); end > uint64(size) || end < sections {
		return errCutOff // the table of sections comes last
	}
	f, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_LOAD && (segment.Off > uint64(size) || segment.Filesz > uint64(size)-segment.Off) {
			return errCutOff
		}
	}
	if f.Type != elf.ET_DYN {
		return errors.New("it is a program or an object file, not a shared library")
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("it is damaged: %w", err)
	}
	for _, s := range symbols {
		if s.Name == entryPoint && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return fmt.Errorf("the library does not export %s", entryPoint)
}
