// Does: CreateLaunchTemplate, CreateLaunchTemplateVersion, DescribeLaunchTemplates, DescribeLaunchTemplateVersions,
// DeleteLaunchTemplate.
// Gaps: ModifyLaunchTemplate, deleting single versions, versions based on others; of the data, only what a launch here uses is shown.
// By design: data is checked when it is used, as on EC2.
// Source: EC2 API Reference of the five calls; element names from botocore's model of API version 2016-11-15.
import type { Cloud } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { findTemplate, templateVersion } from './launch-template-data.ts';
import { dryRun, flag, isoTime, missing, object, objects, required, text, texts } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { LaunchTemplateRow } from './market-rows.ts';
import { filterRows, page } from './select.ts';
import { readTagSpecifications } from './tags.ts';

const PAGE_LIMITS = { least: 1, most: 200 };

function createdBy(cloud: Cloud): string {
  return `arn:aws:iam::${cloud.world.accountId}:root`;
}

function templateXml(cloud: Cloud, row: LaunchTemplateRow): Xml {
  return {
    launchTemplateId: row.templateId,
    launchTemplateName: row.name,
    createTime: isoTime(row.createdAt),
    createdBy: createdBy(cloud),
    defaultVersionNumber: row.defaultVersion,
    latestVersionNumber: row.versions.length,
    tagSet: tagSet(row.tags),
  };
}

function versionXml(cloud: Cloud, row: LaunchTemplateRow, version: LaunchTemplateRow['versions'][number]): Xml {
  return {
    launchTemplateId: row.templateId,
    launchTemplateName: row.name,
    versionNumber: version.number,
    versionDescription: version.description,
    createTime: isoTime(version.createdAt),
    createdBy: createdBy(cloud),
    defaultVersion: version.number === row.defaultVersion,
    launchTemplateData: dataXml(version.data),
  };
}

function dataXml(data: QueryParams): Xml {
  const profile = object(data, 'IamInstanceProfile');
  const placement = object(data, 'Placement');
  const metadata = object(data, 'MetadataOptions');
  const card = object(data, 'NetworkInterface');
  const market = object(data, 'InstanceMarketOptions');
  return {
    imageId: text(data, 'ImageId'),
    instanceType: text(data, 'InstanceType'),
    keyName: text(data, 'KeyName'),
    userData: text(data, 'UserData'),
    ebsOptimized: flag(data, 'EbsOptimized'),
    instanceInitiatedShutdownBehavior: text(data, 'InstanceInitiatedShutdownBehavior'),
    disableApiTermination: flag(data, 'DisableApiTermination'),
    iamInstanceProfile: profile && { arn: text(profile, 'Arn'), name: text(profile, 'Name') },
    placement: placement && { availabilityZone: text(placement, 'AvailabilityZone') },
    metadataOptions: metadata && { httpTokens: text(metadata, 'HttpTokens'), httpPutResponseHopLimit: text(metadata, 'HttpPutResponseHopLimit'), httpEndpoint: text(metadata, 'HttpEndpoint') },
    instanceMarketOptions: market && { marketType: text(market, 'MarketType') },
    securityGroupIdSet: { item: texts(data, 'SecurityGroupId') },
    networkInterfaceSet: { item: card ? [{ deviceIndex: text(card, 'DeviceIndex') ?? '0', subnetId: text(card, 'SubnetId'), groupSet: { groupId: texts(card, 'SecurityGroupId') } }] : [] },
    blockDeviceMappingSet: {
      item: objects(data, 'BlockDeviceMapping').map((mapping) => {
        const ebs = object(mapping, 'Ebs');
        return {
          deviceName: text(mapping, 'DeviceName'),
          ebs: ebs && { volumeSize: text(ebs, 'VolumeSize'), volumeType: text(ebs, 'VolumeType'), deleteOnTermination: flag(ebs, 'DeleteOnTermination') },
        };
      }),
    },
    tagSpecificationSet: {
      item: objects(data, 'TagSpecification').map((specification) => ({
        resourceType: text(specification, 'ResourceType'),
        tagSet: { item: objects(specification, 'Tag').map((tag) => ({ key: text(tag, 'Key') ?? '', value: text(tag, 'Value') ?? '' })) },
      })),
    },
  };
}

function readData(params: QueryParams): QueryParams {
  const data = object(params, 'LaunchTemplateData');
  if (!data) throw missing('LaunchTemplateData');
  return data;
}

function named(cloud: Cloud, region: string, params: QueryParams): LaunchTemplateRow {
  return findTemplate(cloud.world, region, { id: text(params, 'LaunchTemplateId'), name: text(params, 'LaunchTemplateName') });
}

export const launchTemplateOperations: QueryService['operations'] = {
  CreateLaunchTemplate(params, { cloud, region }): Xml {
    const { templates } = ec2Tables(cloud.world);
    const name = required(params, 'LaunchTemplateName');
    if (!/^[a-zA-Z0-9().\-/_]{3,128}$/.test(name)) throw new AwsFault('InvalidLaunchTemplateName.MalformedException', `Launch template name '${name}' is invalid. It must have 3 to 128 letters, digits or characters of ( ) . / _ -.`);
    const clientToken = text(params, 'ClientToken');
    const same = templates.values().find((row) => row.region === region && row.name === name);
    if (same && clientToken !== undefined && same.clientToken === clientToken) return { launchTemplate: templateXml(cloud, same) };
    if (same) throw new AwsFault('InvalidLaunchTemplateName.AlreadyExistsException', 'Launch template name already in use.');
    const data = readData(params);
    const { 'launch-template': tags = {} } = readTagSpecifications(params, ['launch-template']);
    dryRun(params);
    const now = cloud.clock.now();
    const row: LaunchTemplateRow = { templateId: cloud.world.newId('lt'), name, region, createdAt: now, clientToken, defaultVersion: 1, versions: [{ number: 1, createdAt: now, description: text(params, 'VersionDescription'), data }], tags };
    templates.put(row.templateId, row);
    return { launchTemplate: templateXml(cloud, row) };
  },

  CreateLaunchTemplateVersion(params, { cloud, region }): Xml {
    const row = named(cloud, region, params);
    const data = readData(params);
    if (text(params, 'SourceVersion') !== undefined) throw new AwsFault('UnsupportedOperation', 'The pretend cloud bases no version of a launch template on another.');
    dryRun(params);
    const version = { number: row.versions.length + 1, createdAt: cloud.clock.now(), description: text(params, 'VersionDescription'), data };
    row.versions.push(version);
    ec2Tables(cloud.world).templates.put(row.templateId, row);
    return { launchTemplateVersion: versionXml(cloud, row, version) };
  },

  DescribeLaunchTemplates(params, { cloud, region }): Xml {
    const ids = texts(params, 'LaunchTemplateId');
    const names = texts(params, 'LaunchTemplateName');
    const wanted = [...ids.map((id) => findTemplate(cloud.world, region, { id })), ...names.map((name) => findTemplate(cloud.world, region, { name }))];
    const rows = wanted.length > 0 ? [...new Set(wanted)] : ec2Tables(cloud.world).templates.values().filter((row) => row.region === region);
    const matching = filterRows(rows, params, { 'launch-template-name': (row) => row.name, 'create-time': (row) => isoTime(row.createdAt) }, (row) => row.tags);
    dryRun(params);
    const { rows: shown, nextToken } = page(matching, params, (row) => row.templateId, PAGE_LIMITS);
    return { launchTemplates: { item: shown.map((row) => templateXml(cloud, row)) }, nextToken };
  },

  DescribeLaunchTemplateVersions(params, { cloud, region }): Xml {
    const row = named(cloud, region, params);
    const wanted = texts(params, 'LaunchTemplateVersion');
    const versions = wanted.length > 0 ? [...new Set(wanted.map((version) => templateVersion(row, version)))] : row.versions;
    dryRun(params);
    const { rows, nextToken } = page(versions, params, (version) => String(version.number).padStart(6, '0'), PAGE_LIMITS);
    return { launchTemplateVersionSet: { item: rows.map((version) => versionXml(cloud, row, version)) }, nextToken };
  },

  DeleteLaunchTemplate(params, { cloud, region }): Xml {
    const row = named(cloud, region, params);
    dryRun(params);
    ec2Tables(cloud.world).templates.delete(row.templateId);
    return { launchTemplate: templateXml(cloud, row) };
  },
};
