package gormhook_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// What follows spells the values of a row as the trail promises to. It shares
// nothing with the library, and takes another way: from the text of a value
// and the type of its column.

// spellRow spells the values of a row, a JSON array of texts.
func (s *replaySchema) spellRow(t *replayTable, list string) (replayRow, error) {
	var values []*string
	if err := json.Unmarshal([]byte(list), &values); err != nil {
		return nil, err
	}
	row := make(replayRow, len(values))
	for i, v := range values {
		c := t.columns[i]
		var err error
		switch {
		case v == nil:
			row[c.name] = "null"
		case s.postgres:
			row[c.name], err = spellPostgres(c.typ, *v)
		default:
			row[c.name], err = spellSQLite(c.typ, *v)
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return row, nil
}

// spellPostgres spells what PostgreSQL casts a value to.
func spellPostgres(typ, v string) (string, error) {
	if element, ok := strings.CutPrefix(typ, "_"); ok {
		list, rest, err := spellArray(element, v)
		if err == nil && rest != "" {
			err = fmt.Errorf("%q behind the array", rest)
		}
		return list, err
	}
	switch typ {
	case "bool", "int2", "int4", "int8":
		return v, nil
	case "numeric":
		if strings.HasSuffix(v, "NaN") || strings.HasSuffix(v, "Infinity") {
			return jsonText(v), nil
		}
		return v, nil
	case "float4", "float8":
		return spellFloat(v)
	case "timestamptz":
		at, err := time.Parse("2006-01-02 15:04:05.999999Z07", strings.Replace(v, "+00", "Z", 1))
		return spellInstant(at), err
	case "timestamp":
		at, err := time.Parse("2006-01-02 15:04:05.999999", v)
		return spellInstant(at), err
	case "json", "jsonb":
		return canonical([]byte(v))
	case "text", "varchar", "uuid", "date", "bytea", "interval", "inet", "int4range":
		return jsonText(v), nil
	default:
		return "", fmt.Errorf("type %s is not known here", typ)
	}
}

// spellArray spells the array that v begins with, of any dimensions, and
// returns what is behind it.
func spellArray(element, v string) (list, rest string, err error) {
	if !strings.HasPrefix(v, "{") {
		return "", "", fmt.Errorf("%q is no array", v)
	}
	var parts []string
	for v = v[1:]; v != ""; v = strings.TrimPrefix(v, ",") {
		var part string
		switch v[0] {
		case '}':
			return "[" + strings.Join(parts, ",") + "]", v[1:], nil
		case '{':
			part, v, err = spellArray(element, v)
		case '"':
			var text strings.Builder
			i := 1
			for ; v[i] != '"'; i++ {
				if v[i] == '\\' {
					i++
				}
				text.WriteByte(v[i])
			}
			v = v[i+1:]
			part, err = spellPostgres(element, text.String())
		default:
			i := strings.IndexAny(v, ",}")
			if part = v[:i]; part == "NULL" {
				part = "null"
			} else {
				part, err = spellPostgres(element, part)
			}
			v = v[i:]
		}
		if err != nil {
			return "", "", err
		}
		parts = append(parts, part)
	}
	return "", "", errors.New("an array without an end")
}

// spellSQLite spells a value that SQLite has written as SQL.
func spellSQLite(typ, v string) (string, error) {
	switch {
	case v == "NULL":
		return "null", nil
	case strings.HasPrefix(v, "X'"):
		b, err := hex.DecodeString(v[2 : len(v)-1])
		if typ == "json" && err == nil {
			return canonical(b)
		}
		return jsonText(`\x` + hex.EncodeToString(b)), err
	case strings.HasPrefix(v, "'"):
		text := strings.ReplaceAll(v[1:len(v)-1], "''", "'")
		switch typ {
		case "datetime", "timestamp":
			at, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", text)
			return spellInstant(at), err
		case "json":
			return canonical([]byte(text))
		case "decimal":
			return exact(json.Number(text))
		default:
			return jsonText(text), nil
		}
	case typ == "numeric": // what GORM calls a bool
		return strconv.FormatBool(v != "0"), nil
	case typ == "json":
		return canonical([]byte(v))
	case strings.ContainsAny(v, ".eEI"):
		return spellFloat(v)
	case typ == "decimal":
		return exact(json.Number(v))
	default:
		return v, nil
	}
}

func spellInstant(at time.Time) string {
	return jsonText(at.UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// spellFloat spells a float as the exact decimal of its shortest text, which
// is what two texts of one number have in common.
func spellFloat(v string) (string, error) {
	switch v {
	case "NaN", "Infinity", "-Infinity":
		return jsonText(v), nil
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return "", err
	}
	return exact(json.Number(strconv.FormatFloat(f, 'g', -1, 64)))
}

// exact returns a number in the one spelling that all its texts share.
func exact(n json.Number) (string, error) {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return "", fmt.Errorf("%s is no number", n)
	}
	return "#" + r.RatString(), nil
}

// canonical returns JSON in the one spelling that all its texts share.
func canonical(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("JSON %s: %w", text, err)
	}
	v, err := canonicalValue(v)
	if err != nil {
		return "", err
	}
	return literalJSON(v), nil
}

func canonicalValue(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return exact(v)
	case []any:
		for i := range v {
			if v[i], err = canonicalValue(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = canonicalValue(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// literalJSON writes a value of JSON, with numbers as they are spelt.
func literalJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonText(s string) string { return literalJSON(s) }

// bareText returns the text of a JSON string; anything else is its own text.
func bareText(v string) string {
	var s string
	if json.Unmarshal([]byte(v), &s) != nil {
		return v
	}
	return s
}

// spellImage reads an image of an entry. What the engine may spell in more
// than one way, floats and JSON, is in the spelling of spellRow.
func (t *replayTable) spellImage(image []byte) (replayRow, error) {
	if image == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(image))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("image %s: %w", image, err)
	}
	row := make(replayRow, len(values))
	for name, v := range values {
		typ, ok := t.typeOf(name)
		if !ok {
			return nil, fmt.Errorf("image %s: there is no column %s", image, name)
		}
		n, number := v.(json.Number)
		var err error
		switch {
		case v == nil:
			row[name] = "null"
		case typ == "json" || typ == "jsonb":
			if v, err = canonicalValue(v); err == nil {
				row[name] = literalJSON(v)
			}
		case number && spellings(typ):
			row[name], err = exact(n)
		default:
			row[name] = literalJSON(v)
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

// spellings reports whether a number in a column of the type has several.
func spellings(typ string) bool {
	return typ == "float4" || typ == "float8" || typ == "real" || typ == "double precision" || typ == "decimal"
}

func (t *replayTable) typeOf(column string) (string, bool) {
	for _, c := range t.columns {
		if c.name == column {
			return c.typ, true
		}
	}
	return "", false
}
