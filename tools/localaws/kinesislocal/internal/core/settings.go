package core

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// The limits of a stream's settings.
const (
	MinRetention = 24 * time.Hour
	MaxRetention = 8760 * time.Hour
	maxTags      = 50
)

// set changes settings of a stream, which is UPDATING meanwhile. If check returns
// an error, nothing changes.
func (s *Account) set(name string, check func(*stream) error, set func(*settings)) error {
	return s.withStream(name, func(st *stream, now time.Time) error {
		if err := st.requireActive(); err != nil {
			return err
		}
		if check != nil {
			if err := check(st); err != nil {
				return err
			}
		}
		st.begin(Updating, now, s.options.TransitionDelay, func(at time.Time) {
			for _, sh := range st.shards {
				sh.drop(int(sh.firstSince(at.Add(-st.Retention)) - sh.base)) // a longer retention must not restore them
			}
			set(&st.settings)
		})
		return nil
	})
}

// IncreaseRetention increases the retention of a stream.
func (s *Account) IncreaseRetention(name string, hours int) error {
	return s.setRetention(name, hours, func(st *stream, now, want time.Duration) error {
		if want < now {
			return errorf(InvalidArgument,
				"Requested retention period (%d hours) for stream %s can not be shorter than existing retention period (%d hours). Use DecreaseRetentionPeriod API.",
				hours, st.name, int(now.Hours()))
		}
		return nil
	})
}

// DecreaseRetention decreases the retention of a stream.
func (s *Account) DecreaseRetention(name string, hours int) error {
	return s.setRetention(name, hours, func(st *stream, now, want time.Duration) error {
		if want > now {
			return errorf(InvalidArgument,
				"Requested retention period (%d hours) for stream %s can not be longer than existing retention period (%d hours). Use IncreaseRetentionPeriod API.",
				hours, st.name, int(now.Hours()))
		}
		return nil
	})
}

func (s *Account) setRetention(name string, hours int, check func(st *stream, now, want time.Duration) error) error {
	want := time.Duration(hours) * time.Hour
	return s.set(name, func(st *stream) error {
		switch {
		case hours < int(MinRetention.Hours()):
			return errorf(InvalidArgument, "Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.", int(MinRetention.Hours()), hours)
		case hours > int(MaxRetention.Hours()):
			return errorf(InvalidArgument, "Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", int(MaxRetention.Hours()), hours)
		}
		return check(st, st.Retention, want)
	}, func(next *settings) { next.Retention = want })
}

// SetOnDemand sets the mode of a stream: on demand or provisioned. Its shards stay
// the same.
func (s *Account) SetOnDemand(name string, onDemand bool) error {
	return s.set(name, nil, func(next *settings) { next.OnDemand = onDemand })
}

// SetMaxRecordBytes sets the largest size of a record of the stream.
func (s *Account) SetMaxRecordBytes(name string, bytes int) error {
	return s.set(name, nil, func(next *settings) { next.MaxRecordBytes = bytes })
}

// SetEncryption sets the encryption key in the settings of a stream, "" for none.
// Nothing is encrypted.
func (s *Account) SetEncryption(name, keyID string) error {
	return s.set(name, nil, func(next *settings) { next.KeyID = keyID })
}

// SetMetrics enables or disables metrics of a stream's shards. It returns the
// metrics that were enabled before and are enabled after. Nothing is measured.
func (s *Account) SetMetrics(name string, metrics []string, on bool) (before, after []string, err error) {
	err = s.set(name, func(st *stream) error {
		before = st.Metrics
		after = slices.DeleteFunc(slices.Clone(before), func(m string) bool { return slices.Contains(metrics, m) })
		if on {
			after = append(after, metrics...)
		}
		slices.Sort(after)
		return nil
	}, func(next *settings) { next.Metrics = after })
	return before, after, err
}

// Tags returns the tags of a stream or, unless consumerARN is "", of one of
// its consumers.
func (s *Account) Tags(name, consumerARN string) (tags map[string]string, err error) {
	err = s.withTags(name, consumerARN, func(st *stream, of *map[string]string) error {
		tags = maps.Clone(*of)
		return nil
	})
	return tags, err
}

// AddTags adds tags, or changes the values of existing tags.
func (s *Account) AddTags(name, consumerARN string, tags map[string]string) error {
	return s.withTags(name, consumerARN, func(st *stream, of *map[string]string) error {
		if err := checkTags(tags); err != nil {
			return err
		}
		merged := maps.Clone(*of)
		if merged == nil {
			merged = make(map[string]string)
		}
		maps.Copy(merged, tags)
		if len(merged) > maxTags {
			return errorf(InvalidArgument,
				"Failed to add tags to stream %s under account %s because a given stream cannot have more than %d tags associated with it.", st.name, st.account, maxTags)
		}
		*of = merged
		return nil
	})
}

// RemoveTags removes tags. Missing tags are ignored.
func (s *Account) RemoveTags(name, consumerARN string, keys []string) error {
	return s.withTags(name, consumerARN, func(_ *stream, of *map[string]string) error {
		for _, key := range keys {
			delete(*of, key)
		}
		return nil
	})
}

func (s *Account) withTags(name, consumerARN string, f func(*stream, *map[string]string) error) error {
	if consumerARN == "" {
		return s.withStream(name, func(st *stream, _ time.Time) error { return f(st, &st.tags) })
	}
	return s.withConsumer(name, "", consumerARN, func(st *stream, c *consumer, _ time.Time) error { return f(st, &c.tags) })
}

var tagPattern = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@%]*$`)

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return errorf(InvalidArgument, "%d tags were given, there can be %d.", len(tags), maxTags)
	}
	for key, value := range tags {
		if !tagPattern.MatchString(key) || !tagPattern.MatchString(value) {
			return errorf(InvalidArgument, "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - %% @ :.")
		}
	}
	return nil
}
