// Does: DescribeImages over the built-in images.
// Gaps: no image can be registered, copied, tagged or shared.
// Source: EC2 API Reference DescribeImages and data type Image.
import { IMAGES, findImage, imageId, snapshotId } from '../../data/images.ts';
import type { ImageFact } from '../../data/images.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryService, Xml } from '../../wire/call.ts';
import { checkIds, dryRun, texts } from './params.ts';
import { filterRows, page } from './select.ts';

function imageXml(image: ImageFact, region: string): Xml {
  return {
    imageId: imageId(image, region),
    imageLocation: `${image.ownerAlias ?? image.ownerId}/${image.name}`,
    imageState: 'available',
    imageOwnerId: image.ownerId,
    creationDate: image.createdAt,
    isPublic: true,
    architecture: image.architecture,
    imageType: 'machine',
    imageOwnerAlias: image.ownerAlias,
    name: image.name,
    description: image.description,
    rootDeviceType: 'ebs',
    rootDeviceName: image.rootDevice,
    blockDeviceMapping: {
      item: [
        {
          deviceName: image.rootDevice,
          ebs: {
            snapshotId: snapshotId(image, region),
            volumeSize: image.rootGb,
            deleteOnTermination: true,
            volumeType: 'gp3',
            iops: 3000,
            throughput: 125,
            encrypted: false,
          },
        },
      ],
    },
    virtualizationType: 'hvm',
    hypervisor: 'xen',
    enaSupport: true,
    sriovNetSupport: 'simple',
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
    bootMode: image.bootMode,
    deprecationTime: image.deprecatesAt,
    imdsSupport: image.imdsV2Only ? 'v2.0' : undefined,
    deregistrationProtection: 'disabled',
  };
}

export const imageOperations: QueryService['operations'] = {
  DescribeImages(params, { region, accountId }): Xml {
    const ids = texts(params, 'ImageId');
    checkIds(ids, 'ami');
    const unknown = ids.filter((id) => !findImage(id, region));
    if (unknown.length > 0) throw new AwsFault('InvalidAMIID.NotFound', `The image id '[${unknown.join(', ')}]' does not exist`);
    const owners = texts(params, 'Owner').map((owner) => (owner === 'self' ? accountId : owner));
    const chosen = IMAGES.filter(
      (image) =>
        (ids.length === 0 || ids.includes(imageId(image, region))) &&
        (owners.length === 0 || owners.includes(image.ownerId) || (image.ownerAlias !== undefined && owners.includes(image.ownerAlias))),
    );
    const matching = filterRows(chosen, params, {
      'image-id': (image) => imageId(image, region),
      name: (image) => image.name,
      description: (image) => image.description,
      architecture: (image) => image.architecture,
      'owner-id': (image) => image.ownerId,
      'owner-alias': (image) => image.ownerAlias,
      state: () => 'available',
      'is-public': () => 'true',
      'image-type': () => 'machine',
      'root-device-name': (image) => image.rootDevice,
      'root-device-type': () => 'ebs',
      'virtualization-type': () => 'hvm',
      hypervisor: () => 'xen',
      'ena-support': () => 'true',
      'creation-date': (image) => image.createdAt,
      'block-device-mapping.volume-type': () => 'gp3',
      platform: () => undefined,
    });
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (image) => imageId(image, region), { least: 1, most: 1000 });
    return { imagesSet: { item: rows.map((image) => imageXml(image, region)) }, nextToken };
  },
};
