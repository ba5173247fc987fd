package zapfield

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/infrakitchen/audit/trail"
)

// spill is a file of batches that wait for the database. A batch is its length
// and checksum, eight bytes, and its lines as a JSON array; it is appended, and
// on disk, as a whole or not at all. Batches are read from the front, and when
// the last has been read the file is empty again. One that was written to the
// database just before a crash is read twice, which does no harm, as lines have
// ids.
type spill struct {
	file      *os.File
	limit     int64
	read, end int64
}

const spillHead = 8

var (
	errSpillFull = errors.New("the spill file is full")
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// openSpill opens the file for this process alone. Anything after the last whole
// batch is left over from a crash, and is cut off.
func openSpill(path string, limit int64) (_ *spill, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if err := lockFile(file); err != nil {
		return nil, fmt.Errorf("%s is in use: %w", path, err)
	}
	s := &spill{file: file, limit: limit}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	s.end = info.Size()
	for s.read < s.end {
		_, next, err := s.batch()
		if err != nil {
			s.end = s.read
			break
		}
		s.read = next
	}
	s.read = 0
	return s, file.Truncate(s.end)
}

// size returns how many bytes are still to be read.
func (s *spill) size() int64 { return s.end - s.read }

// append adds a batch at the end.
func (s *spill) append(lines []trail.Line) error {
	body, err := json.Marshal(lines)
	if err != nil {
		return fmt.Errorf("spilling lines: %w", err)
	}
	size := int64(len(body)) + spillHead
	if s.end+size > s.limit {
		return errSpillFull
	}
	record := make([]byte, spillHead, size)
	binary.BigEndian.PutUint32(record, uint32(len(body))) //nolint:gosec // lines are bounded
	binary.BigEndian.PutUint32(record[4:], crc32.Checksum(body, castagnoli))
	if _, err = s.file.WriteAt(append(record, body...), s.end); err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("spilling lines: %w", err), s.file.Truncate(s.end))
	}
	s.end += size
	return nil
}

// next returns the batch at the front and where it ends. If a batch cannot be
// read, all those after it are lost too.
func (s *spill) next() ([]trail.Line, int64, error) {
	body, next, err := s.batch()
	if err == nil {
		var lines []trail.Line
		if err = json.Unmarshal(body, &lines); err == nil {
			return lines, next, nil
		}
	}
	err = fmt.Errorf("reading the spill file at byte %d of %d: %w", s.read, s.end, err)
	return nil, 0, errors.Join(err, s.advance(s.end))
}

func (s *spill) batch() (body []byte, next int64, err error) {
	head := make([]byte, spillHead)
	if _, err := s.file.ReadAt(head, s.read); err != nil {
		return nil, 0, err
	}
	size := int64(binary.BigEndian.Uint32(head))
	if s.read+spillHead+size > s.end {
		return nil, 0, io.ErrUnexpectedEOF
	}
	body = make([]byte, size)
	if _, err := s.file.ReadAt(body, s.read+spillHead); err != nil {
		return nil, 0, err
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil, 0, errors.New("the checksum does not match")
	}
	return body, s.read + spillHead + size, nil
}

// advance moves past a batch.
func (s *spill) advance(next int64) error {
	if s.read = next; s.read < s.end {
		return nil
	}
	s.read, s.end = 0, 0
	return s.file.Truncate(0)
}

func (s *spill) close() error { return s.file.Close() }
