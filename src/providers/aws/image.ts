// Which machine image to boot: the one asked for, else Amazon Linux 2023, else for NVIDIA types the Deep Learning Base image.
// The root device's name and least size come from the image itself; a guessed name would silently add a second disk.
import type { Image, InstanceTypeInfo } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';

export interface ChosenImage {
  id: string;
  name: string;
  architecture: string;
  rootDevice: string;
  /** Size of the root snapshot: the disk cannot be smaller. */
  minimumGb: number;
}

const AMAZON_LINUX = (architecture: string): string => `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`;
const DEEP_LEARNING = (architecture: string): string => `/aws/service/deeplearning/ami/${architecture}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id`;
/** The open NVIDIA driver does not know GPUs before Turing: these families need the proprietary one (DLAMI release notes). */
const NEEDS_PROPRIETARY_DRIVER = /^(p2|p3|p3dn|g3|g3s)\./;

export function architectureOf(type: InstanceTypeInfo): 'x86_64' | 'arm64' {
  return type.ProcessorInfo?.SupportedArchitectures?.includes('x86_64') ? 'x86_64' : 'arm64';
}

export function hasNvidiaGpu(type: InstanceTypeInfo): boolean {
  return Boolean(type.GpuInfo?.Gpus?.some((gpu) => (gpu.Manufacturer ?? 'NVIDIA').toUpperCase() === 'NVIDIA'));
}

export async function chooseImage(api: AwsApi, wanted: string | undefined, type: InstanceTypeInfo, signal?: AbortSignal): Promise<ChosenImage> {
  const architecture = architectureOf(type);
  const image = wanted ? await wantedImage(api, wanted, signal) : await defaultImage(api, type, architecture, signal);
  const chosen = describe(image, wanted ?? image.ImageId ?? '');
  if (chosen.architecture && chosen.architecture !== architecture) {
    throw new RunctlError('usage', `image ${chosen.id} is for ${chosen.architecture}, but ${type.InstanceType} is ${architecture}`, {
      cause: 'an image boots on the processor it was built for only',
      hints: [`aws ssm get-parameter --name ${AMAZON_LINUX(architecture)} --query Parameter.Value --output text`],
    });
  }
  return chosen;
}

async function wantedImage(api: AwsApi, wanted: string, signal?: AbortSignal): Promise<Image> {
  const parameter = wanted.startsWith('resolve:ssm:') ? wanted.slice('resolve:ssm:'.length) : wanted.startsWith('/') ? wanted : undefined;
  const id = parameter ? await parameterValue(api, parameter, signal) : wanted;
  return imageById(api, id, signal);
}

async function defaultImage(api: AwsApi, type: InstanceTypeInfo, architecture: 'x86_64' | 'arm64', signal?: AbortSignal): Promise<Image> {
  if (!hasNvidiaGpu(type)) return imageById(api, await parameterValue(api, AMAZON_LINUX(architecture), signal), signal);
  if (NEEDS_PROPRIETARY_DRIVER.test(`${type.InstanceType}`)) {
    return newestByName(api, ['Deep Learning Base Proprietary Nvidia Driver GPU AMI *', 'Deep Learning Base Proprietary Nvidia Driver AMI *'], architecture, type, signal);
  }
  try {
    return await imageById(api, await parameterValue(api, DEEP_LEARNING(architecture), signal), signal);
  } catch (error) {
    // Parameters of retired releases disappear: the name search finds their successor.
    if (!isAwsCode(error, 'ParameterNotFound', 'InvalidAMIID.NotFound', 'InvalidAMIID.Unavailable')) throw error;
    return newestByName(api, ['Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023) *', 'Deep Learning Base OSS Nvidia Driver GPU AMI *', 'Deep Learning ARM64 Base OSS Nvidia Driver GPU AMI *'], architecture, type, signal);
  }
}

async function parameterValue(api: AwsApi, name: string, signal?: AbortSignal): Promise<string> {
  const answer = await api.ssm('GetParameter', { Name: name }, { signal, subject: name });
  const value = answer.Parameter?.Value;
  if (!value) throw new RunctlError('cloud-refused', `the public parameter ${name} has no value`, { cause: 'SSM answered without one', hints: [`aws ssm get-parameter --name ${name}`, 'runctl aws create TYPE --ami-id AMI'] });
  return value;
}

async function imageById(api: AwsApi, id: string, signal?: AbortSignal): Promise<Image> {
  const answer = await api.ec2('DescribeImages', { ImageIds: [id] }, { signal, subject: id });
  const image = answer.Images?.[0];
  if (!image) throw new RunctlError('usage', `no image ${id} in ${await api.region()}; images belong to one region`, { cause: 'EC2 knows no such image, or it is not shared with this account', hints: [`aws ec2 describe-images --image-ids ${id} --region ${await api.region()}`] });
  if (image.State && image.State !== 'available') throw new RunctlError('usage', `image ${id} is ${image.State}, not available`, { cause: image.StateReason?.Message ?? 'EC2 boots available images only', hints: [`aws ec2 describe-images --image-ids ${id} --query 'Images[].State'`] });
  return image;
}

async function newestByName(api: AwsApi, names: string[], architecture: string, type: InstanceTypeInfo, signal?: AbortSignal): Promise<Image> {
  const answer = await api.ec2(
    'DescribeImages',
    {
      Owners: ['amazon'],
      Filters: [
        { Name: 'name', Values: names },
        { Name: 'state', Values: ['available'] },
        { Name: 'architecture', Values: [architecture] },
      ],
    },
    { signal },
  );
  const newest = [...(answer.Images ?? [])].sort((a, b) => (b.CreationDate ?? '').localeCompare(a.CreationDate ?? ''))[0];
  if (newest) return newest;
  throw new RunctlError('usage', `no Deep Learning image for ${type.InstanceType} in ${await api.region()}`, {
    cause: `neither AWS's public parameter nor a public image named ${names[0]} exists there`,
    hints: [`runctl aws create ${type.InstanceType} --ami-id ami-…`, "aws ec2 describe-images --owners amazon --filters 'Name=name,Values=Deep Learning*' --query 'Images[].[CreationDate,ImageId,Name]' --output text"],
  });
}

function describe(image: Image, wanted: string): ChosenImage {
  const root = image.BlockDeviceMappings?.find((one) => one.DeviceName === image.RootDeviceName);
  if (!image.ImageId || !image.RootDeviceName) throw new RunctlError('cloud-refused', `image ${wanted} names no root device`, { cause: 'DescribeImages answered without RootDeviceName', hints: [`aws ec2 describe-images --image-ids ${wanted}`] });
  return {
    id: image.ImageId,
    name: image.Name ?? image.ImageId,
    architecture: image.Architecture ?? '',
    rootDevice: image.RootDeviceName,
    minimumGb: root?.Ebs?.VolumeSize ?? 1,
  };
}
