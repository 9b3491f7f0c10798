package wire

import (
	"maps"
	"slices"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

func (in *increaseStreamRetentionPeriodInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("retentionPeriodHours", in.RetentionPeriodHours != nil)
}

func increaseStreamRetentionPeriod(c *call, in *increaseStreamRetentionPeriodInput) (*empty, error) {
	return onStream(c, in.streamRef, func(of *core.Account, name string) error {
		return of.IncreaseRetention(name, int(*in.RetentionPeriodHours))
	})
}

func (in *decreaseStreamRetentionPeriodInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.required("retentionPeriodHours", in.RetentionPeriodHours != nil)
}

func decreaseStreamRetentionPeriod(c *call, in *decreaseStreamRetentionPeriodInput) (*empty, error) {
	return onStream(c, in.streamRef, func(of *core.Account, name string) error {
		return of.DecreaseRetention(name, int(*in.RetentionPeriodHours))
	})
}

func (in *updateStreamModeInput) check(c *constraints) {
	c.requiredStreamARN(in.StreamARN)
	c.required("streamModeDetails", in.StreamModeDetails != nil)
	c.mode(in.StreamModeDetails)
	c.within("warmThroughputMiBps", in.WarmThroughputMiBps, 0, 1<<31-1)
}

func updateStreamMode(c *call, in *updateStreamModeInput) (*empty, error) {
	return onStream(c, streamRef{StreamARN: in.StreamARN}, func(of *core.Account, name string) error {
		return of.SetOnDemand(name, *in.StreamModeDetails.StreamMode == modeOnDemand)
	})
}

func (in *updateMaxRecordSizeInput) check(c *constraints) {
	c.stream(streamRef{StreamARN: in.StreamARN})
	c.required("maxRecordSizeInKiB", in.MaxRecordSizeInKiB != nil)
	c.recordSize(in.MaxRecordSizeInKiB)
}

func updateMaxRecordSize(c *call, in *updateMaxRecordSizeInput) (*empty, error) {
	return onStream(c, streamRef{StreamARN: in.StreamARN}, func(of *core.Account, name string) error {
		return of.SetMaxRecordBytes(name, int(*in.MaxRecordSizeInKiB)<<10)
	})
}

func (in *startStreamEncryptionInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.encryption(in.EncryptionType, in.KeyId)
}

func startStreamEncryption(c *call, in *startStreamEncryptionInput) (*empty, error) {
	return setEncryption(c, in.streamRef, *in.EncryptionType, *in.KeyId)
}

func (in *stopStreamEncryptionInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.encryption(in.EncryptionType, in.KeyId)
}

func stopStreamEncryption(c *call, in *stopStreamEncryptionInput) (*empty, error) {
	return setEncryption(c, in.streamRef, *in.EncryptionType, "")
}

func setEncryption(c *call, ref streamRef, kind, keyID string) (*empty, error) {
	return onStream(c, ref, func(of *core.Account, name string) error {
		if kind != encryptionKMS {
			return &failure{invalidArgument, "EncryptionType must be KMS."}
		}
		return of.SetEncryption(name, keyID)
	})
}

func (c *constraints) encryption(kind, key *string) {
	c.required("encryptionType", kind != nil)
	oneOf(c, "encryptionType", kind, []string{encryptionNone, encryptionKMS})
	c.required("keyId", key != nil)
	if key != nil {
		c.length("keyId", *key, 1, 2048)
	}
}

func (in *addTagsToStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.tags(in.Tags)
}

func addTagsToStream(c *call, in *addTagsToStreamInput) (*empty, error) {
	return onStream(c, in.streamRef, func(of *core.Account, name string) error {
		return of.AddTags(name, "", in.Tags)
	})
}

func (in *removeTagsFromStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.tagKeys(in.TagKeys)
}

func removeTagsFromStream(c *call, in *removeTagsFromStreamInput) (*empty, error) {
	return onStream(c, in.streamRef, func(of *core.Account, name string) error {
		return of.RemoveTags(name, "", in.TagKeys)
	})
}

func (in *listTagsForStreamInput) check(c *constraints) {
	c.stream(in.streamRef)
	c.within("limit", in.Limit, 1, 50)
	if in.ExclusiveStartTagKey != nil {
		c.length("exclusiveStartTagKey", *in.ExclusiveStartTagKey, 1, 128)
	}
}

func listTagsForStream(c *call, in *listTagsForStreamInput) (*listTagsForStreamOutput, error) {
	of, name, err := c.resolve(in.streamRef)
	if err != nil {
		return nil, err
	}
	tags, err := of.Tags(name, "")
	if err != nil {
		return nil, err
	}
	after := valueOr(in.ExclusiveStartTagKey, "")
	maps.DeleteFunc(tags, func(key, _ string) bool { return key <= after })
	list := tagShapes(tags)
	limit := int(valueOr(in.Limit, 50))
	more := len(list) > limit
	return &listTagsForStreamOutput{Tags: list[:min(limit, len(list))], HasMoreTags: &more}, nil
}

func (in *tagResourceInput) check(c *constraints) {
	c.resourceARN(in.ResourceARN)
	c.tags(in.Tags)
}

func tagResource(c *call, in *tagResourceInput) (*empty, error) {
	of, stream, consumer := c.resolveResource(*in.ResourceARN)
	return &empty{}, of.AddTags(stream, consumer, in.Tags)
}

func (in *untagResourceInput) check(c *constraints) {
	c.resourceARN(in.ResourceARN)
	c.tagKeys(in.TagKeys)
}

func untagResource(c *call, in *untagResourceInput) (*empty, error) {
	of, stream, consumer := c.resolveResource(*in.ResourceARN)
	return &empty{}, of.RemoveTags(stream, consumer, in.TagKeys)
}

func (in *listTagsForResourceInput) check(c *constraints) { c.resourceARN(in.ResourceARN) }

func listTagsForResource(c *call, in *listTagsForResourceInput) (*listTagsForResourceOutput, error) {
	of, stream, consumer := c.resolveResource(*in.ResourceARN)
	tags, err := of.Tags(stream, consumer)
	if err != nil {
		return nil, err
	}
	return &listTagsForResourceOutput{Tags: tagShapes(tags)}, nil
}

func (in *putResourcePolicyInput) check(c *constraints) {
	c.resourceARN(in.ResourceARN)
	c.required("policy", in.Policy != nil)
}

func putResourcePolicy(c *call, in *putResourcePolicyInput) (*empty, error) {
	of, stream, consumer := c.resolveResource(*in.ResourceARN)
	return &empty{}, of.PutPolicy(stream, consumer, *in.Policy)
}

func (in *getResourcePolicyInput) check(c *constraints) { c.resourceARN(in.ResourceARN) }

func getResourcePolicy(c *call, in *getResourcePolicyInput) (*getResourcePolicyOutput, error) {
	of, stream, consumer := c.resolveResource(*in.ResourceARN)
	text, err := of.Policy(stream, consumer)
	return &getResourcePolicyOutput{&text}, err
}

func (in *deleteResourcePolicyInput) check(c *constraints) { c.resourceARN(in.ResourceARN) }

func deleteResourcePolicy(c *call, in *deleteResourcePolicyInput) (*empty, error) {
	of, stream, consumer := c.resolveResource(*in.ResourceARN)
	return &empty{}, of.DeletePolicy(stream, consumer)
}

// tagShapes returns the tags, sorted by key.
func tagShapes(tags map[string]string) []tag {
	list := []tag{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{Key: &key, Value: ptr(tags[key])})
	}
	return list
}
