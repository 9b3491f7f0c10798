package rewind

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Backup is the content of a backup file, which has lines of JSON. The first line has the
// exported fields but Changes. Each other line is a change, with both rows in DynamoDB's
// JSON.
type Backup struct {
	Version     int       `json:"kclInfraBackup"`
	Application string    `json:"application"`
	To          string    `json:"rewoundTo"`
	Time        time.Time `json:"time"`
	Changes     []Change  `json:"-"`
}

const backupVersion = 1

type line struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// Write creates the file, which must not exist. When it returns nil, the file survives a
// loss of power.
func (b Backup) Write(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(b.encode(file), file.Sync(), file.Close())
	if err == nil {
		var folder *os.File
		if folder, err = os.Open(filepath.Dir(name)); err == nil {
			_ = folder.Sync() // fails on Windows, which keeps the name without it
			folder.Close()
		}
	}
	if err != nil {
		os.Remove(name)
		return fmt.Errorf("write backup %s: %w", name, err)
	}
	return nil
}

func (b Backup) encode(w io.Writer) error {
	b.Version = backupVersion
	out := json.NewEncoder(w)
	if err := out.Encode(b); err != nil {
		return err
	}
	for _, c := range b.Changes {
		var l line
		for _, row := range []struct {
			item kcl.Item
			to   *json.RawMessage
		}{{c.Before, &l.Before}, {c.After, &l.After}} {
			*row.to = json.RawMessage("null")
			if row.item == nil {
				continue
			}
			text, err := attributevalue.MarshalMapJSON(row.item)
			if err != nil {
				return err
			}
			*row.to = text
		}
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// ReadBackup reads a file that Write wrote.
func ReadBackup(name string) (Backup, error) {
	file, err := os.Open(name)
	if err != nil {
		return Backup{}, err
	}
	defer file.Close()
	b, err := decode(file)
	if err != nil {
		return b, fmt.Errorf("%s is not a backup of kcl-infra rewind: %w", name, err)
	}
	return b, nil
}

func decode(r io.Reader) (b Backup, err error) {
	in := json.NewDecoder(bufio.NewReader(r))
	if err := in.Decode(&b); err != nil {
		return b, err
	}
	if b.Version != backupVersion || !kcl.ValidApplication(b.Application) {
		return b, fmt.Errorf("version %d of application %q", b.Version, b.Application)
	}
	for n := 2; ; n++ {
		var l line
		if err := in.Decode(&l); err == io.EOF {
			return b, nil
		} else if err != nil {
			return b, fmt.Errorf("line %d: %w", n, err)
		}
		var c Change
		if c.Before, err = row(l.Before); err == nil {
			c.After, err = row(l.After)
		}
		if err != nil {
			return b, fmt.Errorf("line %d: %w", n, err)
		}
		if c.Before == nil && c.After == nil || c.Before != nil && c.After != nil && kcl.KeyOf(c.Before) != kcl.KeyOf(c.After) || c.Key() == "" {
			return b, fmt.Errorf("line %d is not a change of a lease", n)
		}
		b.Changes = append(b.Changes, c)
	}
}

func row(text json.RawMessage) (kcl.Item, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	return attributevalue.UnmarshalMapJSON(text)
}
