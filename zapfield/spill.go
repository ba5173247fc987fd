package zapfield

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// spill is a file of batches that wait for the database. It is empty or begins
// with spillTitle, so that no other file is taken for one. A batch is its length
// and checksum, eight bytes, and its lines as gob, which reads back exactly what
// was written: JSON has null for no fields, and other spellings for some texts.
// It is appended, and on disk, as a whole or not at all. Batches are read from the front, and when
// the last has been read the file is empty again. One that was written to the
// database just before a crash is read twice, which does no harm, as lines have
// ids.
type spill struct {
	file      *os.File
	limit     int64
	read, end int64
	damaged   int64 // bytes that were set aside
}

const (
	spillTitle = "zapfield spill 1\n"
	spillHead  = 8
)

var (
	errSpillFull = errors.New("the spill file is full")
	// errDamaged says that lines are lost: where a batch should be is none.
	errDamaged = errors.New("not a whole batch")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// openSpill opens the file for this process alone. Anything after the last whole
// batch, left over from a crash or damaged since, is set aside; damage is the
// error that says so, or nil.
func openSpill(path string, limit int64) (_ *spill, damage, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if err := lockFile(file); err != nil {
		return nil, nil, fmt.Errorf("%s is in use: %w", path, err)
	}
	s := &spill{file: file, limit: limit}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	s.end = info.Size()
	if damage, err = s.title(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	first := s.read
	for s.read < s.end {
		_, next, err := s.batch()
		if errors.Is(err, errDamaged) {
			damage = s.setAside(err)
			if !errors.Is(damage, errDamaged) {
				return nil, nil, damage
			}
			break
		}
		if err != nil {
			return nil, nil, err
		}
		s.read = next
	}
	if s.read = first; s.size() == 0 {
		err = s.advance(s.end)
	}
	return s, damage, err
}

// title reads the title. A file that has another is not touched; one in which a
// crash has left a part of it, or zeros, is set aside as damaged.
func (s *spill) title() (damage, err error) {
	title := make([]byte, min(s.end, int64(len(spillTitle))))
	if _, err := s.file.ReadAt(title, 0); err != nil {
		return nil, err
	}
	switch {
	case len(title) == 0:
		return nil, nil
	case string(title) == spillTitle:
		s.read = int64(len(spillTitle))
		return nil, nil
	case strings.HasPrefix(spillTitle, string(title)), len(bytes.Trim(title, "\x00")) == 0:
		damage = s.setAside(fmt.Errorf("%w: the title is incomplete", errDamaged))
		if !errors.Is(damage, errDamaged) {
			return nil, damage
		}
		return damage, nil
	default:
		return nil, errors.New("this is no spill file, and is left as it is")
	}
}

// size returns how many bytes are still to be read.
func (s *spill) size() int64 { return s.end - s.read }

// append adds lines at the end, in as many batches as there is room for, and
// returns how many lines these are.
func (s *spill) append(lines []trail.Line) (added int, err error) {
	for n := len(lines); added < len(lines); n = min(n, len(lines)-added) {
		switch err := s.appendBatch(lines[added : added+n]); {
		case err == nil:
			added += n
		case errors.Is(err, errSpillFull) && n > 1:
			n /= 2
		default:
			return added, err
		}
	}
	return added, nil
}

func (s *spill) appendBatch(lines []trail.Line) error {
	var b bytes.Buffer
	if s.end == 0 {
		b.WriteString(spillTitle)
	}
	first := b.Len()
	b.Write(make([]byte, spillHead))
	if err := gob.NewEncoder(&b).Encode(lines); err != nil {
		return fmt.Errorf("spilling lines: %w", err)
	}
	record, size := b.Bytes(), int64(b.Len())
	if s.end+size > s.limit {
		return errSpillFull
	}
	head, body := record[first:], record[first+spillHead:]
	binary.BigEndian.PutUint32(head, uint32(len(body))) //nolint:gosec // lines are bounded
	binary.BigEndian.PutUint32(head[4:], crc32.Checksum(body, castagnoli))
	_, err := s.file.WriteAt(record, s.end)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("spilling lines: %w", err), s.file.Truncate(s.end))
	}
	s.read += int64(first)
	s.end += size
	return nil
}

// next returns the batch at the front and where it ends. If the error is
// errDamaged, it and all those after it are lost; after any other they are still
// there.
func (s *spill) next() ([]trail.Line, int64, error) {
	body, next, err := s.batch()
	if err == nil {
		var lines []trail.Line
		if err = gob.NewDecoder(bytes.NewReader(body)).Decode(&lines); err == nil {
			return lines, next, nil
		}
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	if errors.Is(err, errDamaged) {
		if err = s.setAside(err); errors.Is(err, errDamaged) {
			err = errors.Join(err, s.advance(s.end))
		}
	}
	return nil, 0, err
}

// batch reads the batch at the front.
func (s *spill) batch() (body []byte, next int64, err error) {
	head, err := s.bytes(s.read, spillHead)
	if err != nil {
		return nil, 0, err
	}
	size := int64(binary.BigEndian.Uint32(head))
	if size == 0 { // a crash may leave zeros, whose checksum is right
		return nil, 0, fmt.Errorf("%w: it is empty", errDamaged)
	}
	if body, err = s.bytes(s.read+spillHead, size); err != nil {
		return nil, 0, err
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil, 0, fmt.Errorf("%w: the checksum does not match", errDamaged)
	}
	return body, s.read + spillHead + size, nil
}

// bytes reads a part of a batch.
func (s *spill) bytes(from, size int64) ([]byte, error) {
	if from+size > s.end {
		return nil, fmt.Errorf("%w: it is cut off", errDamaged)
	}
	b := make([]byte, size)
	switch _, err := s.file.ReadAt(b, from); {
	case errors.Is(err, io.EOF): // somebody else has truncated the file
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("reading the spill file: %w", err)
	}
	return b, nil
}

// setAside moves everything from the front on into another file, because nobody
// can tell where the next whole batch begins. It returns cause, with where the
// bytes are, or why they could not be moved.
func (s *spill) setAside(cause error) error {
	path := s.file.Name() + damagedSuffix
	aside, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("setting damaged lines aside: %w", err)
	}
	n, err := io.Copy(aside, io.NewSectionReader(s.file, s.read, s.end-s.read))
	if err == nil {
		err = aside.Sync()
	}
	if err = errors.Join(err, aside.Close()); err == nil {
		err = s.file.Truncate(s.read)
	}
	if err != nil {
		return fmt.Errorf("setting damaged lines aside: %w", err)
	}
	err = fmt.Errorf("spilled lines were lost: the last %d bytes of %s are damaged and were moved to %s: byte %d: %w",
		n, s.file.Name(), path, s.read, cause)
	s.end = s.read
	s.damaged += n
	return err
}

// damagedSuffix is added to the name of the spill file for what cannot be read.
const damagedSuffix = ".damaged"

// advance moves past a batch.
func (s *spill) advance(next int64) error {
	if s.read = next; s.read < s.end {
		return nil
	}
	s.read, s.end = 0, 0
	return s.file.Truncate(0)
}

func (s *spill) close() error { return s.file.Close() }
